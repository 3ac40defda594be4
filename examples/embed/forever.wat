;; SPDX-License-Identifier: Apache-2.0 OR MIT
(module (func (export "_start") (loop $again (br $again))))
