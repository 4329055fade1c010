# SPDX-License-Identifier: BSD-2-Clause
"""ask.py ADDRESS RATE SECONDS: a client that asks a web server for a small page so often a second, each time over a new
connection; all that is not there within a second has failed. Prints {"asked": N, "answered": N}."""
import asyncio
import json
import sys

PATIENCE = 1.0  # seconds
QUESTION = b"GET / HTTP/1.0\r\n\r\n"


async def fetch(address):
    reader, writer = await asyncio.open_connection(address, 80)
    try:
        writer.write(QUESTION)
        page = await reader.read()
    finally:
        writer.close()
    return page.startswith(b"HTTP/1.") and b" 200 " in page.split(b"\r\n", 1)[0]


async def ask(address):
    try:
        return await asyncio.wait_for(fetch(address), PATIENCE)
    except (OSError, asyncio.TimeoutError):
        return False


async def main():
    address, rate, seconds = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
    clock = asyncio.get_running_loop().time
    start, questions = clock(), []
    while clock() - start < seconds:
        questions.append(asyncio.create_task(ask(address)))
        await asyncio.sleep(max(0, start + len(questions) / rate - clock()))
    answers = await asyncio.gather(*questions)
    print(json.dumps({"asked": len(answers), "answered": sum(answers)}))


asyncio.run(main())
