-- SPDX-License-Identifier: Apache-2.0 OR MIT
-- Closures, coroutines, errors of all kinds through pcall, the collector, patterns, files.
local function counter()
    local n = 0
    return function() n = n + 1; return n end
end
local a, b = counter(), counter()
print(a(), a(), b())

print(pcall(error, { code = 7 }) == false, select(2, pcall(error, "plain", 0)))
print(pcall(function() local none; return none.field end))
print(xpcall(function() error("deep") end, function(m) return "handled " .. m end))
print(pcall(function()
    local ok, inner = pcall(error, "inner", 0)
    error("outer after " .. inner, 0)
end))
local function endless(n) return 1 + endless(n + 1) end
local ok, message = pcall(endless, 1)
print(ok, message:match("stack overflow"))
local failed = 0
for i = 1, 20000 do
    if not pcall(error, i) then failed = failed + 1 end
end
print(failed)

local function walk(list)
    return coroutine.wrap(function()
        for _, x in ipairs(list) do coroutine.yield(x * x) end
    end)
end
local sum = 0
for x in walk { 1, 2, 3, 4 } do sum = sum + x end
print(sum)
local co = coroutine.create(function() coroutine.yield(1); error("in a coroutine", 0) end)
print(coroutine.resume(co))
print(coroutine.resume(co))
print(coroutine.status(co))

for _ = 1, 50 do local t = {}; for i = 1, 2000 do t[i] = { tostring(i) } end end
collectgarbage()
print(collectgarbage("count") < 2000)
print(("key=value; other=thing"):gsub("(%w+)=(%w+)", "%2=%1"))
print(string.format("%5.2f|%-5s|%05d|%x", math.pi, "ab", 42, 255), 7 // 2, 2 ^ 53, 1 << 40)

local file <close> = assert(io.open("lua.txt", "w+"))
for i = 1, 1000 do file:write("line ", i, "\n") end
file:seek("set", 0)
local count, last = 0, nil
for line in file:lines() do count, last = count + 1, line end
print(count, last, file:seek("end"))
print(io.open("none/x"))
print(os.rename("lua.txt", "renamed.txt"), os.remove("renamed.txt"), os.remove("renamed.txt") == nil)
print(os.getenv("COLOUR"), arg[1], os.time { year = 2001, month = 9, day = 9, hour = 1, min = 46, sec = 40 })
print("input:", io.read("l"))
os.exit(5)
