;; SPDX-License-Identifier: Apache-2.0 OR MIT
;; Processes are killed at every kind of wait, and at every moment before it: none stays, and a name
;; that one of them had claimed is free again.
;; exit: 0
(module
  (import "lunatic::process" "spawn"
    (func $spawn (param i64 i64 i64 i32 i32 i32 i32 i32) (result i32)))
  (import "lunatic::process" "get_or_spawn"
    (func $get_or_spawn (param i32 i32 i64 i64 i64 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "lunatic::process" "kill" (func $kill (param i64)))
  (import "lunatic::process" "exists" (func $exists (param i64) (result i32)))
  (import "lunatic::process" "sleep_ms" (func $sleep_ms (param i64)))
  (import "lunatic::process" "process_id" (func $process_id (result i64)))
  (import "lunatic::process" "compile_module" (func $compile (param i32 i32 i32) (result i32)))
  (import "lunatic::process" "drop_module" (func $drop_module (param i64)))
  (import "lunatic::message" "create_data" (func $create_data (param i64 i64)))
  (import "lunatic::message" "send" (func $send (param i64) (result i32)))
  (import "lunatic::message" "receive" (func $receive (param i32 i32 i64) (result i32)))
  (import "lunatic::message" "send_receive_skip_search"
    (func $request (param i64 i64 i64) (result i32)))
  (import "lunatic::registry" "put" (func $put (param i32 i32 i64 i64)))
  (import "lunatic::registry" "get" (func $get (param i32 i32 i32 i32) (result i32)))
  (import "lunatic::registry" "remove" (func $remove (param i32 i32)))
  (import "lunatic::trap" "catch" (func $catch (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "poll_oneoff"
    (func $poll (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)

  ;; the exports that are killed, 4 bytes each
  (data (i32.const 0) "recvtagsnapsasksclckcompspawholdtraploop")
  (data (i32.const 64) "slow")      ;; the registry has this name: start functions take long
  (data (i32.const 80) "the name")
  (data (i32.const 96) "none")
  (data (i32.const 112) "\07\00\00\00\00\00\00\00")                  ;; a tag
  (data (i32.const 128) "\00asm\01\00\00\00\01\04\01\60\00\00\03\02\01\00\0a\04\01\02\00\0b")
  ;; a subscription: the monotonic clock in an hour
  (data (i32.const 216) "\01\00\00\00\00\00\00\00\00\a0\b8\30\46\03\00\00")

  (func $is_slow (result i32)
    (i32.eqz (call $get (i32.const 64) (i32.const 4) (i32.const 1024) (i32.const 1032))))

  (start $start)
  (func $start
    (if (i64.ne (call $process_id) (i64.const 1))
      (then (if (call $is_slow) (then (call $sleep_ms (i64.const 3600000)))))))

  (func (export "none"))
  (func $for_ever (loop $l (br $l)))
  (func (export "recv") (drop (call $receive (i32.const 0) (i32.const 0) (i64.const -1))))
  (func (export "tags") (drop (call $receive (i32.const 112) (i32.const 1) (i64.const 3600000))))
  (func (export "naps") (call $sleep_ms (i64.const 3600000)))
  (func (export "asks")
    (call $create_data (i64.const 1) (i64.const 0))
    (drop (call $request (i64.const 1) (i64.const 7) (i64.const -1))))
  (func (export "clck")
    (drop (call $poll (i32.const 200) (i32.const 300) (i32.const 1) (i32.const 400))))
  (func (export "comp")
    (loop $l
      (if (call $compile (i32.const 128) (i32.const 24) (i32.const 500)) (then unreachable))
      (call $drop_module (i64.load (i32.const 500)))
      (br $l)))
  (func (export "spaw") ;; waits for what the start function of its child says
    (drop (call $receive (i32.const 0) (i32.const 0) (i64.const -1)))
    (call $put (i32.const 64) (i32.const 4) (i64.const 0) (i64.const 1))
    (drop (call $spawn (i64.const 5) (i64.const -1) (i64.const -1) (i32.const 96) (i32.const 4)
      (i32.const 0) (i32.const 0) (i32.const 500)))
    unreachable)
  (func (export "hold") ;; the same with a claim of the name, for which the second one waits
    (drop (call $receive (i32.const 0) (i32.const 0) (i64.const -1)))
    (call $put (i32.const 64) (i32.const 4) (i64.const 0) (i64.const 1))
    (drop (call $get_or_spawn (i32.const 80) (i32.const 8) (i64.const 0) (i64.const -1)
      (i64.const -1) (i32.const 96) (i32.const 4) (i32.const 0) (i32.const 0) (i32.const 500)
      (i32.const 508)))
    unreachable)
  (func (export "trap") (drop (call $catch (i32.const 5) (i32.const 0))) unreachable)
  (func (export "_lunatic_catch_trap") (param i32 i32) (result i32)
    (if (local.get 0)
      (then (drop (call $catch (i32.sub (local.get 0) (i32.const 1)) (i32.const 0)))))
    (call $sleep_ms (i64.const 3600000))
    (i32.const 1))
  (func (export "loop") (call $for_ever))

  (func $end (param $id i64)
    (call $kill (local.get $id))
    (loop $l
      (if (call $exists (local.get $id)) (then (call $sleep_ms (i64.const 1)) (br $l)))))

  ;; those whose children take long to start wait for this, for then nobody else's may start
  (func $go (param $id i64)
    (call $create_data (i64.const 0) (i64.const 0))
    (drop (call $send (local.get $id))))

  ;; spawns export number $k, without arguments; its id
  (func $begin (param $k i32) (result i64)
    (if (call $spawn (i64.const 0) (i64.const -1) (i64.const -1)
          (i32.mul (local.get $k) (i32.const 4)) (i32.const 4) (i32.const 0) (i32.const 0)
          (i32.const 600))
      (then unreachable))
    (i64.load (i32.const 600)))

  (func (export "_start") (local $k i32) (local $ms i64) (local $a i64) (local $b i64)
    (loop $all
      (local.set $ms (i64.const 0))
      (loop $each
        (local.set $a (call $begin (local.get $k)))
        (local.set $b (call $begin (local.get $k)))
        (if (i32.or (i32.eq (local.get $k) (i32.const 6)) (i32.eq (local.get $k) (i32.const 7)))
          (then (call $go (local.get $a)) (call $go (local.get $b))))
        (if (i64.ne (local.get $ms) (i64.const 0)) (then (call $sleep_ms (local.get $ms))))
        (if (i64.eqz (i64.and (local.get $ms) (i64.const 1)))
          (then (call $end (local.get $b)) (call $end (local.get $a)))
          (else (call $end (local.get $a)) (call $end (local.get $b))))
        (call $remove (i32.const 64) (i32.const 4))
        ;; the name can be had, and is nobody's
        (if (i32.eq (i32.const 1) (call $get_or_spawn (i32.const 80) (i32.const 8) (i64.const 0)
              (i64.const -1) (i64.const -1) (i32.const 96) (i32.const 4) (i32.const 0)
              (i32.const 0) (i32.const 500) (i32.const 508)))
          (then unreachable))
        (call $remove (i32.const 80) (i32.const 8))
        (local.set $ms (i64.add (local.get $ms) (i64.const 1)))
        (br_if $each (i64.lt_u (local.get $ms) (i64.const 6))))
      (local.set $k (i32.add (local.get $k) (i32.const 1)))
      (br_if $all (i32.lt_u (local.get $k) (i32.const 10))))))
