import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

from netlab.controllers.udp_flows import UdpFlows

DNS = ("10.96.0.10", 53)


class Kernel:
    """Looks at flows when it is let; keeps who served at the end of each look."""

    def __init__(self):
        self.may, self.begun, self.looks, self.error = threading.Event(), threading.Event(), [], None
        self.may.set()

    def end(self, serving):
        self.begun.set()
        assert self.may.wait(10)
        if self.error:
            raise self.error
        self.looks.append({key: set(addresses) for key, addresses in serving.items()})


def play(story):
    async def run():
        kernel, done = Kernel(), asyncio.Event()
        with ThreadPoolExecutor(1) as executor:
            flows = UdpFlows(kernel.end, executor, on_done=done.set)

            async def tell(*addresses):
                flows.expect({DNS: set(addresses)})
                flows.follow({DNS: set(addresses)})

            async def settled():
                async with asyncio.timeout(10):
                    while flows.pending:
                        done.clear()
                        await done.wait()

            await story(kernel, flows, tell, settled)
            await flows.close()
            assert not flows.pending

    asyncio.run(run())


def test_flows_are_looked_at_when_somebody_is_gone_or_a_service_is_new_but_not_when_somebody_comes():
    async def story(kernel, flows, tell, settled):
        for addresses in (("a",), ("a", "b"), ("b",), ("b",)):
            await tell(*addresses)
            await settled()
        assert kernel.looks == [{DNS: {"a"}}, {DNS: {"b"}}]

    play(story)


def test_nobody_waits_for_a_look_and_a_look_spares_who_came_meanwhile():
    async def story(kernel, flows, tell, settled):
        kernel.may.clear()
        await tell("a")
        assert await asyncio.to_thread(kernel.begun.wait, 10)
        await tell("b")
        await tell("c")
        assert flows.pending
        assert kernel.looks == []
        kernel.may.set()
        await settled()
        assert kernel.looks == [{DNS: {"a", "b", "c"}}, {DNS: {"c"}}]

    play(story)


def test_a_look_that_failed_is_made_again_with_the_next_write(capsys):
    async def story(kernel, flows, tell, settled):
        kernel.error = OSError(105, "No buffer space available")
        await tell("a")
        await settled()
        assert "No buffer space available" in capsys.readouterr().err
        kernel.error = None
        await tell("a")
        await settled()
        assert kernel.looks == [{DNS: {"a"}}]

    play(story)
