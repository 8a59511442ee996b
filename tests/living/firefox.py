"""The page's own check, in Debian's Firefox without a window, over WebDriver BiDi."""

import asyncio
import json
import pathlib
import re
import subprocess
import sys
import tempfile

import websockets


async def ask(socket, number, method, params):
    await socket.send(json.dumps({"id": number, "method": method, "params": params}))
    while True:
        said = json.loads(await socket.recv())
        if said.get("id") == number:
            if said["type"] == "error":
                raise RuntimeError(said["message"])
            return said["result"]


async def main(page):
    with tempfile.TemporaryDirectory() as profile:
        command = ["firefox-esr", "--headless", "--no-remote", "--profile", profile, "--remote-debugging-port", "0"]
        firefox = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        try:
            for line in firefox.stderr:
                if found := re.search(r"WebDriver BiDi listening on (ws://\S+)", line):
                    break
            async with websockets.connect(f"{found[1]}/session", max_size=None) as socket:
                await ask(socket, 1, "session.new", {"capabilities": {}})
                tree = await ask(socket, 2, "browsingContext.getTree", {})
                context = tree["contexts"][0]["context"]
                await ask(socket, 3, "browsingContext.navigate", {"context": context, "url": pathlib.Path(page).as_uri() + "#check", "wait": "complete"})
                for number in range(4, 120):
                    said = await ask(socket, number, "script.evaluate", {"expression": "document.documentElement.dataset.check ?? ''", "target": {"context": context}, "awaitPromise": False})
                    if said["result"].get("value"):
                        return said["result"]["value"]
                    await asyncio.sleep(0.25)
                raise RuntimeError("the page did not say what it found")
        finally:
            firefox.terminate()
            firefox.wait(20)


print(asyncio.run(main(sys.argv[1])))
