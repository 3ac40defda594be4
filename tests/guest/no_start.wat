;; SPDX-License-Identifier: Apache-2.0 OR MIT
;; A module without `_start` fails, in words.
;; exit: 134
;; error: _start
(module
  (func (export "main")))
