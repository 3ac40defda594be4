;; SPDX-License-Identifier: Apache-2.0 OR MIT
;; A trap in the start function is an instance that never was: an error of the run.
;; exit: 1
;; error: lunatic:
;; error: unreachable
(module
  (func $begin unreachable)
  (start $begin)
  (func (export "_start")))
