;; SPDX-License-Identifier: Apache-2.0 OR MIT
;; A function of a later version links; calling it names it.
;; exit: 134
;; error: not available yet: lunatic::networking::resolve
(module
  (import "lunatic::networking" "resolve" (func $resolve (param i32 i32 i64 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "_start")
    (drop (call $resolve (i32.const 0) (i32.const 0) (i64.const 0) (i32.const 0)))))
