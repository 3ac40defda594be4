;; SPDX-License-Identifier: Apache-2.0 OR MIT
;; Memory grows from one page to 64 MiB, keeping what is in it, and not beyond its maximum.
(module
  (memory (export "memory") 1 1024)
  (func $check (param i32) (if (i32.eqz (local.get 0)) (then unreachable)))
  (func (export "_start") (local $page i32)
    (i32.store (i32.const 65532) (i32.const 12345))
    (local.set $page (i32.const 1))
    (loop $next
      (call $check (i32.eq (memory.grow (local.get $page)) (local.get $page)))
      (local.set $page (i32.mul (local.get $page) (i32.const 2)))
      (call $check (i32.eqz (i32.load (i32.sub (i32.mul (local.get $page) (i32.const 65536)) (i32.const 4)))))
      (i32.store (i32.sub (i32.mul (local.get $page) (i32.const 65536)) (i32.const 4)) (local.get $page))
      (br_if $next (i32.lt_u (local.get $page) (i32.const 1024))))
    (call $check (i32.eq (i32.load (i32.const 65532)) (i32.const 12345)))
    (call $check (i32.eq (i32.load (i32.const 131068)) (i32.const 2)))
    (call $check (i32.eq (memory.grow (i32.const 1)) (i32.const -1)))
    (call $check (i32.eq (memory.size) (i32.const 1024)))))
