%% SPDX-License-Identifier: Apache-2.0 OR MIT
%% Erlang's side of the benchmarks: erl -noshell -s bench QUESTION -s init stop
-module(bench).
-export([spawn/0, pingpong/0, clock/0]).

now_ns() -> erlang:monotonic_time(nanosecond).

median(L) -> lists:nth(length(L) div 2 + 1, lists:sort(L)).

%% Spawn, one message back, exit; one after another.
spawn() ->
    Round = fun(_) -> T = now_ns(), spawn_n(20000), (now_ns() - T) / 20000 end,
    io:format("spawn_ns ~.1f~n", [median([Round(R) || R <- lists:seq(1, 21)])]).

spawn_n(0) -> ok;
spawn_n(N) ->
    Self = self(),
    erlang:spawn(fun() -> Self ! 1 end),
    receive 1 -> ok end,
    spawn_n(N - 1).

%% Round trips of one pair.
pingpong() ->
    Self = self(),
    Peer = erlang:spawn(fun() -> echo(Self) end),
    Round = fun(_) -> T = now_ns(), trips(Peer, 50000), (now_ns() - T) / 50000 end,
    io:format("round_trip_ns ~.1f~n", [median([Round(R) || R <- lists:seq(1, 21)])]).

echo(To) -> receive X -> To ! X, echo(To) end.

trips(_, 0) -> ok;
trips(Peer, N) -> Peer ! 7, receive 7 -> ok end, trips(Peer, N - 1).

%% The answer to a clock while 1,000 processes loop for ever. Each takes a third of a second, so 40 will do.
clock() ->
    [erlang:spawn(fun() -> loop(I) end) || I <- lists:seq(1, 1000)],
    Late = lists:sort([late() || _ <- lists:seq(1, 40)]),
    P = fun(X) -> lists:nth(max(1, round(X * 40)), Late) / 1000 end,
    io:format("late_p50_us ~.1f~nlate_p99_us ~.1f~nlate_p999_us ~.1f~n", [P(0.5), P(0.99), P(0.999)]).

late() ->
    T = now_ns(),
    receive after 1 -> ok end,
    max(0, now_ns() - T - 1000000).

loop(X) -> loop((X * 25214903917 + 11) band 16#ffffffff).
