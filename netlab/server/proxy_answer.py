"""What a backend says, passed on to the client of the proxy subresources as it comes."""

from __future__ import annotations

from contextlib import aclosing

from netlab.api.request import Request
from netlab.api.response import ProxyRequest, error_response
from netlab.model.errors import ApiError
from netlab.server.http_writer import Writer, head_of
from netlab.server.proxy import Passed, Proxy, relay
from netlab.server.streams import Takeover
from netlab.server.transports import abort
from netlab.server.upload import Upload


async def pass_on(proxy: Proxy | None, out: Writer, request: Request, wanted: ProxyRequest, *, keep: bool,
                  upload: Upload | None = None) -> Takeover | None:
    """Asks the backend and sends what it says; gives what the connection becomes when they agree on an upgrade."""
    head = request.method == "HEAD"
    try:
        if proxy is None:
            raise ApiError(501, "NotImplemented", "this server has no proxy")
        passed = await proxy.fetch(request, wanted, client=out.client, upload=upload)
    except ApiError as error:
        out.respond(error_response(error), keep=keep, head=head)
        return None
    if passed.backend is None:
        await send_passed(out, passed, keep=keep, head=head)
        return None
    lines = [f"{name}: {value}" for name, value in passed.headers]
    return Takeover(head_of(101, lines, keep=True, phrase=passed.phrase),
                    lambda reader, writer: relay(passed, reader, writer))


async def send_passed(out: Writer, passed: Passed, *, keep: bool, head: bool) -> None:
    """Sends it; one that ends too early ends the connection, so that the client sees it."""
    lines = [f"{name}: {value}" for name, value in passed.headers]
    chunked = passed.length is None and not head and passed.code not in (204, 304)
    if chunked:
        lines.append("Transfer-Encoding: chunked")
    elif passed.length is not None and passed.code != 204:
        lines.append(f"Content-Length: {passed.length}")
    out.write(head_of(passed.code, lines, keep=keep, phrase=passed.phrase))
    async with aclosing(passed.body) as pieces:
        try:
            async for piece in pieces:
                if not head:
                    out.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
                await out.writable.wait()
                if not out.transport:
                    return
        except OSError:
            if out.transport:
                abort(out.transport)
            return
    if chunked:
        out.write(b"0\r\n\r\n")
    if not keep and out.transport:
        out.transport.close()
