;; SPDX-License-Identifier: Apache-2.0 OR MIT
;; A function of a later version links; calling it names it.
;; exit: 134
;; error: not available yet: lunatic::distributed::send
(module
  (import "lunatic::distributed" "send" (func $send (param i64 i64) (result i32)))
  (memory (export "memory") 1)
  (func (export "_start")
    (drop (call $send (i64.const 0) (i64.const 0)))))
