;; SPDX-License-Identifier: Apache-2.0 OR MIT
;; A trap that is caught gives 0, and a line of the log tells it at the level of debugging.
;; options: --log debug
;; error: Process 1 trapped: unreachable
;; no-error: failed
(module
  (import "lunatic::trap" "catch" (func $catch (param i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "_lunatic_catch_trap") (param i32 i32) (result i32) unreachable)
  (func (export "_start") (if (call $catch (i32.const 0) (i32.const 0)) (then unreachable))))
