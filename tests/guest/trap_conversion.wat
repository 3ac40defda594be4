;; SPDX-License-Identifier: Apache-2.0 OR MIT
;; The trap is named, with the function it happened in.
;; exit: 134
;; error: invalid conversion to integer
;; error: culprit
(module
  (table 2 funcref)
  (elem (i32.const 0) $culprit)
  (memory (export "memory") 1)
  (func $culprit (param i32)
    (drop (i32.trunc_f32_s (f32.const nan))))
  (func (export "_start")
    (call $culprit (i32.const 0))))
