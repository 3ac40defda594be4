;; Vectors: one instruction of each kind of immediate and signature.
(module
  (memory 1)
  (global $v (mut v128) (v128.const i64x2 1 2))
  (func (export "v") (param v128) (result i32) (local v128)
    (local.set 1 (i8x16.shuffle 0 1 2 3 4 5 6 7 8 9 10 11 12 13 30 31 (local.get 0) (global.get $v)))
    (v128.store (i32.const 0) (v128.load8x8_s offset=16 (i32.const 0)))
    (v128.store32_lane 2 (i32.const 0) (v128.load16_lane align=1 3 (i32.const 0) (local.get 1)))
    (global.set $v (v128.bitselect (local.get 0) (i32x4.splat (i32.const 1)) (f64x2.replace_lane 1 (local.get 1) (f64.const 2))))
    (i32.add (i16x8.extract_lane_u 7 (i16x8.shl (local.get 0) (i32.const 3)))
             (i8x16.all_true (i32x4.dot_i16x8_s (local.get 0) (local.get 1))))))
