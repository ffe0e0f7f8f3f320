# The server of websocket.test.ts in Python's `websockets`: echoes; "close CODE WHY" has it close, "ping" ping.
import asyncio

import websockets


async def serve(socket, *_):
    try:
        async for message in socket:
            if isinstance(message, str) and message.startswith("close "):
                _, code, reason = message.split(" ")
                await socket.close(int(code), reason)
            elif message == "ping":
                await (await socket.ping(b"payload"))
                await socket.send("ponged payload")
            else:
                await socket.send(message)
    except websockets.ConnectionClosed:
        pass


async def main():
    server = await websockets.serve(serve, "127.0.0.1", 0, subprotocols=["echo"], max_size=2**25)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.Future()


asyncio.run(main())
