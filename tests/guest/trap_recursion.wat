;; SPDX-License-Identifier: Apache-2.0 OR MIT
;; A stack without end ends the process, and nothing else. (Moving megabytes at every call takes hours.)
;; exit: 134
;; variants: normal metered exact
;; error: stack
;; error: culprit
(module
  (memory (export "memory") 1)
  (func $culprit (param i32) (result i32)
    (i32.add (i32.const 1) (call $culprit (i32.add (local.get 0) (i32.const 1)))))
  (func (export "_start")
    (drop (call $culprit (i32.const 0)))))
