// SPDX-License-Identifier: Apache-2.0 OR MIT
// Classes, maps, strings, sorting, the collector, arguments and input.
class Node {
  constructor(public value: i32, public next: Node | null = null) {}
}

function garbage(): i32 {
  let sum = 0;
  for (let i = 0; i < 200000; i++) {
    const node = new Node(i, new Node(1));
    sum += node.value & node.next!.value;
  }
  return sum;
}

const words = new Map<string, i32>();
const text = "the quick brown fox jumps over the lazy dog and the cat";
const parts = text.split(" ");
for (let i = 0; i < parts.length; i++) {
  words.set(parts[i], words.has(parts[i]) ? words.get(parts[i]) + 1 : 1);
}
const keys = words.keys().sort((a, b) => words.get(b) - words.get(a) || (a < b ? -1 : 1));
console.log(keys.slice(0, 4).join(",") + " " + words.get("the").toString());
console.log([3.5, 1.25, 2].map<string>((x) => (x * x).toString()).join(" "));
console.log(garbage().toString());
console.log("ünïcödé " + String.fromCodePoint(0x1f600).length.toString());
console.log(process.argv.slice(1).join("|") + " " + process.env.get("COLOUR"));

const begin = process.hrtime();
console.log((Date.now() > 1500000000000 && process.hrtime() >= begin).toString());
const random = new Uint8Array(16);
crypto.getRandomValues(random);
console.log(random.some((byte) => byte != 0).toString());

const input = new ArrayBuffer(64);
const size = process.stdin.read(input);
console.log("input: " + String.UTF8.decode(input.slice(0, size)).trim());
process.exit(9);
