;; SPDX-License-Identifier: Apache-2.0 OR MIT
;; A trap in the start function is one of the process, with its backtrace.
;; exit: 134
;; error: unreachable
;; error: begin
(module
  (func $begin unreachable)
  (start $begin)
  (func (export "_start")))
