;; SPDX-License-Identifier: Apache-2.0 OR MIT
;; Wants 65 pages of 64 KiB, a page more than 4 MiB.
(module (memory (export "memory") 65) (func (export "_start")))
