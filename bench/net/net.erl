%% SPDX-License-Identifier: Apache-2.0 OR MIT
%% The network benchmarks in Erlang: a process per connection. erl -s net start echo|http PORT
-module(net).
-export([start/1]).

start([What, Port]) ->
    {ok, L} = gen_tcp:listen(list_to_integer(atom_to_list(Port)),
                             [binary, {active, false}, {reuseaddr, true}, {backlog, 1024},
                              {nodelay, true}, {ip, {127, 0, 0, 1}}, {packet, packet(What)}]),
    io:format("listening on ~p~n", [Port]),
    accept(L, What).

packet(echo) -> raw;
packet(http) -> http_bin.

accept(L, What) ->
    {ok, S} = gen_tcp:accept(L),
    Pid = spawn(fun() -> receive go -> serve(What, S) end end),
    ok = gen_tcp:controlling_process(S, Pid),
    Pid ! go,
    accept(L, What).

serve(echo, S) ->
    case gen_tcp:recv(S, 0) of
        {ok, Data} ->
            ok = gen_tcp:send(S, Data),
            serve(echo, S);
        {error, _} ->
            gen_tcp:close(S)
    end;
serve(http, S) ->
    case gen_tcp:recv(S, 0) of
        {ok, {http_request, 'GET', _, _}} ->
            headers(S);
        _ ->
            gen_tcp:close(S)
    end.

headers(S) ->
    case gen_tcp:recv(S, 0) of
        {ok, http_eoh} ->
            ok = gen_tcp:send(S, <<"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
                                   "Content-Length: 13\r\n\r\nHello, world!">>),
            serve(http, S);
        {ok, _} ->
            headers(S);
        {error, _} ->
            gen_tcp:close(S)
    end.
