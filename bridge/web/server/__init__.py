"""What stands between the network and the application, so that no stranger can take `web` down.

uvicorn and httptools bound neither what a peer sends ahead of a body nor how long it takes over it. This
package adds the bounds to uvicorn's own protocol class, and knows nothing of the application behind it:

    limits.py        every bound; how many connections the descriptor limit leaves room for
    connections.py   who is connected; who makes room when there are too many
    protocol.py      a subclass of uvicorn's httptools protocol: counts, then parses, one request at a time
    cycle.py         a request and its answer; for whole requests there is a shorter way than ASGI
    answers.py       what the server answers itself
    draining.py      a server that drains before it stops
    traffic.py       what all connections share: the table, the clock, counts and log of what was cut

`Traffic(Limits.of_this_process()).protocol()` is a class for uvicorn's `http=`.

What a peer gets that goes over a bound:

    request line, header bytes, number of headers     414, 431
    header or body not whole in time                  408
    trailers, chunk extensions, tiny chunks           431
    bytes that are no HTTP                            400
    replies that it does not read                     no further request is parsed, then it is cut
    too many connections                              the one that has waited longest is cut, of the peer that
                                                      has most; 503 only while all of them are being answered

After an error answer the connection is drained for a moment before it is closed: closed at once, a peer that
is still sending would get a reset in place of the answer.
"""
