# SPDX-License-Identifier: BSD-2-Clause
"""The demo, chapter by chapter."""
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import time
from collections import Counter

import frames
from traffic import Download, Flood, Requests
from world import ENVIRONMENT, NAME, SLUICE, TOP, WEB4, WEB6, reads_events, wait_until

POLICY = "demo.policy"
RATE, SECONDS = 2000, 2.5  # of the storm in which the counters move
SWAPPING = 1.5  # seconds of applying and rolling back under traffic


# The filter of the chapter on it; the rest of its policy is the demo's.
FIREWALL = """
    filter {
        accept tcp dport { 80, 443 }
        accept udp dport 53
        accept icmp type echo-request limit 20/s burst 5 per source
        accept icmpv6 type echo-request limit 20/s burst 5 per source
        reject tcp
        drop
    }
"""

# What the chapter on floods adds to the demo's policy: a set before the interface, a word in its block, two stages.
BANNED = "set banned dynamic size 10000 timeout 10s    # the program itself puts sources in; they leave by themselves\n\n"
UNDER_ATTACK = """
    log drops 1/100         # samples of what is dropped become events

    limit {
        # Nobody opens a hundred connections in a second.
        tcp dport 80 flags syn/syn,ack 100/s burst 50 per source ban @banned
    }

    synproxy {
        # Sources that are made up are over no limit. From 400 new connections in a second on, clients have to prove
        # that they are there before the server hears of them.
        tcp to 192.0.2.80 dport 80 above 400/s gateway
    }
"""
LOUD, SPOOFED = 300, 1000  # SYNs a second: from one address, from made-up ones


class Story:
    def __init__(self, screen, world):
        self.screen, self.world = screen, world

    def tell(self):
        self.lab()
        self.without_sluice()
        self.policy()
        self.apply()
        self.welcome_traffic()
        self.attack()
        self.explain()
        self.counters()
        self.live_change()
        self.firewall()
        self.flood()
        self.mistake()
        self.down()

    # How commands are run and shown.

    def show(self, host, *command):
        """A command of a host, with its output."""
        self.screen.command(host.name, list(command))
        result = self.world.on(host, command)
        self.screen.output(result.stdout + result.stderr)
        return result

    def sluice(self, *arguments, quiet=False):
        """Sluice on the box, as anyone would type it."""
        command = ["sluice", "-n", self.world.box.netns, *map(str, arguments)]
        if not quiet:
            self.screen.command("", command)
        result = self.world.box.sluice(*arguments, check=False, cwd=self.world.folder.name)
        if not quiet:
            self.screen.output(result.stdout + result.stderr)
        return result

    def json(self, *arguments):
        """What a verb says with -j: one object, or a list where there are several lines."""
        result = self.sluice(*arguments, quiet=True)
        if result.returncode:
            raise RuntimeError(result.stderr)
        return json.loads(result.stdout)

    def stats(self):
        return self.json("stats", "-j", "outside")

    def fetches(self, host, url, *options):
        """Whether curl gets the page; a packet that is dropped is seen by the clock."""
        result = self.show(host, "curl", "-sS", "--connect-timeout", "0.5", "--max-time", "5", *options, url)
        return result.returncode == 0 and "Hello from behind Sluice" in result.stdout

    def refused(self, host):
        """Whether a connection to a port that nobody needs is refused, not left without an answer."""
        result = self.show(host, "curl", "-sS", "--connect-timeout", "2", "http://192.0.2.80:8080/")
        return result.returncode == 7 and "Timeout" not in result.stderr

    # The chapters.

    def lab(self):
        screen, world = self.screen, self.world
        screen.chapter("A small world")
        screen.say("Five network namespaces of this machine play hosts, joined by virtual cables. The box is a "
                   "gateway: its kernel forwards between the outside and a web server. Sluice will stand on `outside`, "
                   "the interface where the world arrives.")
        screen.picture("""
            client    198.51.100.10 ──┐
                                      ├── wire ──▶ outside [ box ] inside ── server  192.0.2.80
            attacker  198.51.100.66 ──┘            ▲                         2001:db8:2::80
                                                   Sluice
        """)
        world.build()
        ready = world.start_services()
        screen.say("`client$` runs a command in the client's namespace. Sluice is called as root of the whole machine "
                   "and enters the box's network by itself, with -n. Whatever stands behind a $ is what really runs, "
                   "after these lines:")
        screen.command("", f"alias sluice={shlex.quote(SLUICE)}")
        screen.command("", f"export SLUICE_BPFFS={world.pins}      # keep the demo's programs apart from yours")
        screen.command("", f"cd {world.folder.name}      # a copy of examples/")
        screen.line()
        screen.check(ready, f"the server serves {NAME} (web) and answers DNS")

    def without_sluice(self):
        screen, world = self.screen, self.world
        screen.chapter("Without Sluice")
        self.frames = frames.make(world.mac(world.attacker, "eth0"), world.mac(world.box, "outside"))
        frames.save(self.frames, os.path.join(world.folder.name, "attack.pcap"))
        self.start_witness()
        screen.say("First the world as it is, so that you can trust the difference. The client fetches a page:")
        screen.check(self.fetches(world.client, f"http://{NAME}/"), "the client gets the page")
        screen.say(f"The attacker sends {len(self.frames)} frames of its own making: from forged addresses, in "
                   "protocols nobody knows, behind VLAN tags, broken in ten ways. A witness on the box (a packet "
                   "socket, what tcpdump uses) notes which of them the kernel gets to see:")
        self.send_attack()
        wait_until(lambda: len(self.witnessed()) == len(self.frames), seconds=3)
        seen = self.witnessed()
        screen.check(len(seen) == len(self.frames), f"all {len(self.frames)} frames reach the box's kernel",
                     f"{len(seen)} do")
        open_door = self.fetches(world.client, "http://192.0.2.200/")
        screen.check(open_door, "and the server's management address is open to the outside")

    def start_witness(self):
        self.seen = os.path.join(self.world.folder.name, "seen")
        with open(self.seen, "w") as out:
            self.world.box.start(os.path.join(TOP, "demo/witness"), "outside", stdout=out)
        wait_until(lambda: os.path.getsize(self.seen) > 0)

    def send_attack(self):
        self.seen_before = os.path.getsize(self.seen)
        self.show(self.world.attacker, os.path.join(TOP, "demo/send"), "eth0", "attack.pcap")

    def witnessed(self):
        """The numbers of those frames of the last attack that the box's kernel has seen."""
        with open(self.seen) as lines:
            lines.seek(self.seen_before)
            return {int(line) for line in lines.read().split() if line.isdigit()}

    def policy(self):
        screen = self.screen
        screen.chapter("The policy")
        screen.say("One file says what happens to every packet that arrives. This is all of it:")
        screen.command("", ["cat", POLICY])
        with open(os.path.join(self.world.folder.name, POLICY)) as policy:
            screen.output(policy.read())
        screen.say("`check` reads it, asks the kernel's verifier what is left of the program, and changes nothing:")
        result = self.sluice("check", POLICY)
        screen.check(result.returncode == 0 and result.stdout.endswith("ok\n"), "the policy is sound")

    def apply(self):
        screen, world = self.screen, self.world
        screen.chapter("Apply")
        screen.say("`apply` compiles the policy into one XDP program, which the driver runs for each packet before the "
                   "kernel spends anything on it, and attaches it. No daemon stays behind: the program filters on its "
                   "own.")
        result = self.sluice("apply", POLICY)
        screen.check(result.returncode == 0, "applied")
        self.sluice("show")
        link = self.show(world.box, "ip", "link", "show", "outside")
        screen.check(re.search(r"\bxdp\b", link.stdout) is not None, "the kernel has it on `outside`, in native mode")
        screen.say("What runs already is what the policy says, so a second apply has nothing to do:")
        again = self.sluice("apply", POLICY)
        screen.check("nothing to change" in again.stdout, "the second apply changed nothing")

    def welcome_traffic(self):
        screen, world, client = self.screen, self.world, self.world.client
        screen.chapter("Traffic that is welcome")
        screen.say("Real clients, through the box: DNS over UDP, the web over TCP, ping; IPv4 and IPv6.")
        names = self.show(client, "getent", "ahosts", NAME)
        screen.check(WEB4 in names.stdout and WEB6 in names.stdout, "DNS gives both addresses")
        screen.check(self.fetches(client, f"http://{NAME}/", "-4"), "the page comes over IPv4")
        screen.check(self.fetches(client, f"http://{NAME}/", "-6"), "the page comes over IPv6")
        for address, name in ((WEB4, "IPv4"), (WEB6, "IPv6")):
            ping = self.show(client, "ping", "-c", "3", "-i", "0.1", "-q", address)
            screen.check(" 0% packet loss" in ping.stdout, f"ping over {name} loses nothing")
        screen.say("203.0.113.7 lies in the middle of a blocked network, and is excepted as a friend. The client has "
                   "that address too:")
        friend = self.fetches(client, "http://192.0.2.80/", "--interface", "203.0.113.7")
        screen.check(friend, "the friend's address gets the page")
        screen.say("The management address is for the inside only:")
        screen.check(not self.fetches(client, "http://192.0.2.200/"), "the client gets no answer from it any more")
        screen.check(self.fetches(world.box, "http://192.0.2.200/"), "the box, which is inside, does")

    def attack(self):
        screen = self.screen
        screen.chapter("The attack, again")
        screen.say("The same frames as before, now with Sluice on the interface. Beside each one: whether it reached "
                   "the kernel, and what the running program says of it.")
        before = self.stats()
        self.send_attack()
        dropped = sum(1 for frame in self.frames if frame.reason)
        wait_until(lambda: rise(before, self.stats(), "verdicts", "drop") >= dropped
                   and len(self.witnessed()) >= len(self.frames) - dropped, seconds=3)
        after, seen = self.stats(), self.witnessed()
        screen.line()
        for number, frame in enumerate(self.frames, 1):
            self.check_frame(number, frame, number in seen)
        screen.say("Sluice counts each packet under its verdict, its reason and its rule:")
        self.sluice("stats", "outside")
        self.check_counters(before, after)

    def check_frame(self, number, frame, seen):
        said = self.json("explain", "-j", "outside", "attack.pcap", number)
        target = said.get("rule_text")
        expected = ("drop", frame.reason, frame.target) if frame.reason else ("pass", "default", None)
        good = seen == (frame.reason is None) and (said["verdict"], said["reason"], target) == expected
        arrival = "arrived" if seen else "dropped"
        self.screen.check(good, f"{number:2}  {frame.what:<50} {arrival}  {said['reason']:<18} {target or ''}".rstrip(),
                          f"expected {expected[0]}, {expected[1]}, {expected[2]}")

    def check_counters(self, before, after):
        expected = Counter(frame.reason for frame in self.frames if frame.reason)
        wrong = [reason for reason in after["reasons"] if reason not in ("default", "failsafe")
                 and rise(before, after, "reasons", reason) != expected[reason]]
        self.screen.check(not wrong, f"in this attack the counters of {len(expected)} reasons rose by what was sent, "
                          "exactly", ", ".join(wrong))
        dropped, drops = sum(expected.values()), rise(before, after, "verdicts", "drop")
        self.screen.check(drops == dropped, f"{dropped} frames were dropped, not one more or less", str(drops))

    def explain(self):
        screen = self.screen
        screen.chapter("Why?")
        number = next(n for n, frame in enumerate(self.frames, 1) if frame.what == "TCP from a scanner, VLAN 7")
        words = "tcp 203.0.113.99:20 > 192.0.2.80:80 syn vlan 7"
        screen.say(f"Why was frame {number} dropped? `explain` sends the very frame through a copy of the very program "
                   "that runs on `outside`, and tells its way:")
        before = self.stats()
        self.sluice("explain", "outside", "attack.pcap", number)
        frame = self.json("explain", "-j", "outside", "attack.pcap", number)
        screen.check(frame["reason"] == "block-source" and frame["rule_text"] == "from @scanners"
                     and frame["vlan"] == [7], "explained: the reason, the rule, and the line where it stands")
        screen.say("No capture at hand? Say in words what you mean:")
        self.sluice("explain", "outside", words)
        described = self.json("explain", "-j", "outside", words)
        same = all(described[key] == frame[key] for key in ("verdict", "reason", "rule", "src", "dst", "proto", "vlan"))
        screen.check(same, "the same packet in words has the same fate")
        drops = rise(before, self.stats(), "verdicts", "drop")
        screen.check(drops == 0, "explaining left no trace in the counters", f"{drops} drops")
        self.replay()

    def replay(self):
        screen = self.screen
        screen.say("`replay` does so for a whole capture, also on another machine, long before the policy is applied:")
        self.sluice("replay", POLICY, "attack.pcap")
        lines = self.sluice("replay", "-j", POLICY, "attack.pcap", quiet=True).stdout.splitlines()
        judged = [json.loads(line) for line in lines]
        same = [(j["verdict"], j["reason"], j.get("rule_text")) for j in judged] == [
            ("drop", f.reason, f.target) if f.reason else ("pass", "default", None) for f in self.frames]
        screen.check(same, f"offline, all {len(self.frames)} frames are judged as they were on the wire")

    def counters(self):
        screen, world = self.screen, self.world
        screen.chapter("Counters, live")
        screen.say(f"The attacker repeats its frames, {RATE} a second. Meanwhile the client pings and fetches pages, "
                   "one after the other. (`sluice stats --watch 1` is the table for people; this is made of `stats "
                   "-j`, four times a second.)")
        before = self.stats()
        send = [os.path.join(TOP, "demo/send"), "eth0", "attack.pcap", str(RATE), str(SECONDS)]
        screen.command("attacker", send)
        storm = world.attacker.start(*send, cwd=world.folder.name)
        busy, ping = Requests(world), self.start_ping()
        screen.line()
        titles = ("seconds", "pass", "drop", "block-source", "block-destination", "malformed-*")
        screen.output("".join(f"{title:>18}" for title in titles))
        started, samples = time.monotonic(), []
        while storm.poll() is None and time.monotonic() - started < 4 * SECONDS:
            time.sleep(0.25)
            samples.append(self.print_sample(time.monotonic() - started, before, self.stats()))
        screen.check(all(a <= b for a, b in zip(samples, samples[1:])) and samples[-1] > samples[0],
                     "the drops climb while one looks")
        total = int(RATE * SECONDS)
        expected = sum(1 for n in range(total) if self.frames[n % len(self.frames)].reason)
        wait_until(lambda: rise(before, self.stats(), "verdicts", "drop") >= expected, seconds=2)
        drops = rise(before, self.stats(), "verdicts", "drop")
        screen.check(drops == expected, f"of {total} frames exactly {expected} were dropped", str(drops))
        self.check_requests(busy)
        self.check_ping(ping)

    def print_sample(self, seconds, before, now):
        malformed = sum(rise(before, now, "reasons", r) for r in now["reasons"] if r.startswith("malformed"))
        drops = rise(before, now, "verdicts", "drop")
        row = (f"{seconds:.2f}", rise(before, now, "verdicts", "pass"), drops,
               rise(before, now, "reasons", "block-source"), rise(before, now, "reasons", "block-destination"),
               malformed)
        self.screen.output("".join(f"{cell:>18}" for cell in row))
        return drops

    def start_ping(self):
        path = os.path.join(self.world.folder.name, "ping")
        with open(path, "w") as out:
            process = self.world.client.start("ping", "-q", "-i", "0.005", "192.0.2.80", stdout=out)
        return process, path

    def check_requests(self, requests):
        made, failed = requests.stop()
        self.screen.check(made > 0 and failed == 0, f"meanwhile the client made {made} requests, and none was lost",
                          f"{failed} failed")

    def check_ping(self, ping):
        process, path = ping
        process.send_signal(signal.SIGINT)  # makes it say what it has counted
        process.wait(timeout=5)
        with open(path) as lines:
            counts = re.search(r"(\d+) packets transmitted, (\d+) received", lines.read())
        sent, received = map(int, counts.groups()) if counts else (0, -1)
        self.screen.check(sent > 0 and sent == received, f"and {sent} pings, and none was lost",
                          f"{received} answered")

    def live_change(self):
        screen, world = self.screen, self.world
        screen.chapter("A change under traffic")
        screen.say("So far the attacker's own address is not blocked:")
        screen.check(self.fetches(world.attacker, "http://192.0.2.80/"), "the attacker still gets the page")
        screen.say("Now the client becomes busy: one request after the other, 200 pings a second, and a download of "
                   "24 MiB. Meanwhile the attacker goes onto the list:")
        download, busy, ping = Download(world), Requests(world), self.start_ping()
        screen.command("", "echo 198.51.100.66 >> scanners.txt")
        with open(os.path.join(world.folder.name, "scanners.txt"), "a") as scanners:
            scanners.write("198.51.100.66\n")
        change = self.sluice("apply", POLICY)
        screen.check("set scanners" in change.stdout, "apply says what changed")
        screen.check(not self.fetches(world.attacker, "http://192.0.2.80/"), "the attacker is out")
        screen.say("Every apply is a new generation: a new program with new tables, made ready first, then swapped in "
                   "by one atomic step. The one before is kept, so the way back is instant:")
        back = self.sluice("rollback")
        screen.check(back.returncode == 0, "rolled back")
        screen.check(self.fetches(world.attacker, "http://192.0.2.80/"), "the attacker gets the page again")
        self.swap_often()
        self.check_requests(busy)
        self.check_ping(ping)
        screen.check(download.is_whole(), "and the download, begun under the first of these policies, is whole, byte "
                     "for byte")

    def swap_often(self):
        screen, name = self.screen, f"sluice -n {self.world.box.netns}"
        started, swaps, good = time.monotonic(), 0, True
        screen.say("And because it is so cheap, back and forth for a while:")
        screen.command("", f"while :; do {name} apply {POLICY}; {name} rollback; done")
        while good and time.monotonic() - started < SWAPPING:
            good = all(self.sluice(*verb, quiet=True).returncode == 0 for verb in (["apply", POLICY], ["rollback"]))
            swaps += 2
        screen.line()
        screen.check(good, f"{swaps} changes of the policy in {time.monotonic() - started:.1f} s")

    def firewall(self):
        screen, world, client = self.screen, self.world, self.world.client
        screen.chapter("A firewall, tried before it counts")
        screen.say("Blocking is by address. The `filter` stage has ordered rules over ports, flags, ICMP types and more; "
                   "the first one that matches has the word, and a hundred thousand of them cost hardly more than ten:")
        rules = FIREWALL.strip("\n")
        with open(os.path.join(world.folder.name, POLICY)) as policy:
            text = policy.read()
        with open(os.path.join(world.folder.name, "firewall.policy"), "w") as policy:
            policy.write(text.replace("    default pass", rules + "\n\n    default pass", 1))
        screen.output(rules)
        screen.say("Would it cut something that is needed? `shadow` puts it beside what runs. It is asked about every "
                   "packet and enforces nothing:")
        begun = self.sluice("shadow", "firewall.policy")
        screen.check(begun.returncode == 0, "the firewall watches")
        screen.check(self.fetches(client, f"http://{NAME}/"), "the client gets the page")
        closed = self.refused(client)
        screen.check(closed, "at port 8080 it is the server itself that refuses")
        self.sluice("shadow")
        (seen,) = [self.json("shadow", "-j")]
        told = [(pair["active"]["verdict"], pair["candidate"]["rule_text"]) for pair in seen["pairs"]]
        screen.check(told == [("pass", "reject tcp")], "one difference: what the last rule for TCP would refuse",
                     str(told))
        screen.say("Nobody needs that port. So let it count, in the same atomic step as any change. (What XDP sends back "
                   "out of a veth, the kernel hands over at once only to an end that has an XDP program as well, so the "
                   "wire gets an empty one; a network card needs no such thing.)")
        world.wire.apply("interface box { malformed pass }", "wire.policy")
        promoted = self.sluice("shadow", "--promote")
        screen.check(promoted.returncode == 0, "promoted")
        screen.check(self.fetches(client, f"http://{NAME}/"), "the page comes as before")
        before = self.stats()
        closed = self.refused(client)
        screen.check(closed, "port 8080 is refused at once")
        screen.check(rise(before, self.stats(), "reasons", "filter-reject") == 1,
                     "and now it was Sluice, with a reset from the driver: the box's kernel never saw the packet")
        ping = self.show(client, "ping", "-c", "30", "-i", "0.01", "-q", WEB4)
        answered = int(re.search(r"(\d+) received", ping.stdout).group(1))
        screen.check(5 <= answered < 30, f"of 30 pings in a burst {answered} are answered: 5 at once, then 20 a second",
                     str(answered))
        self.sluice("stats", "outside")
        back = self.sluice("rollback")
        screen.check(back.returncode == 0, "and back, as ever")

    def flood(self):
        screen, world = self.screen, self.world
        screen.chapter("A flood")
        screen.say("The attacker, off the list again, opens connections that it never means to use, from addresses that it "
                   "makes up: a SYN flood. The server is an old one, without SYN cookies, and has room for a few "
                   "half-open connections:")
        self.show(world.server, "sysctl", "-w", "net.ipv4.tcp_syncookies=0", "net.ipv4.tcp_synack_retries=1")
        self.prepare_flood()
        with Flood(world, "spoofed.pcap", SPOOFED, 4):
            time.sleep(0.5)
            requests = Requests(world)
            time.sleep(2)
            made, failed = requests.stop()
        screen.check(failed > 0, f"under {SPOOFED} SYNs a second the client is left outside: {failed} of its {made} "
                     "requests fail", f"{failed} of {made}")
        self.apply_defence()
        events = self.record_events()
        self.loud_flood()
        self.spoofed_flood()
        self.after_the_flood()
        self.told(events)
        back = self.sluice("rollback")
        screen.check(back.returncode == 0, "and back, as ever")

    def prepare_flood(self):
        world = self.world
        shutil.copy(os.path.join(TOP, "examples/scanners.txt"), world.folder.name)
        world.client.run("ethtool", "-K", "eth0", "tx", "off")  # checksums in the packets, as on a wire
        world.box.ip("route", "add", "default", "via", frames.ATTACKER4)  # where answers to made-up addresses vanish
        for name, sources in (("loud", 1), ("spoofed", 4096)):
            frames.save_syns(os.path.join(world.folder.name, f"{name}.pcap"), sources,
                             world.mac(world.attacker, "eth0"), world.mac(world.box, "outside"))

    def apply_defence(self):
        screen, world = self.screen, self.world
        with open(os.path.join(world.folder.name, POLICY)) as file:
            text = file.read().replace("interface outside", BANNED + "interface outside")
        with open(os.path.join(world.folder.name, "flood.policy"), "w") as file:
            file.write(text.replace("        from @scanners\n", "        from @scanners, @banned\n")
                       .replace("    default pass", UNDER_ATTACK + "\n    default pass"))
        screen.say("Two more stages, and a set:")
        screen.output(BANNED.strip() + "\n" + UNDER_ATTACK)
        applied = self.sluice("apply", "flood.policy")
        screen.check(applied.returncode == 0, "applied")

    def loud_flood(self):
        screen, world = self.screen, self.world
        screen.say(f"First the attacker comes with its own address, {LOUD} SYNs a second:")
        with Flood(world, "loud.pcap", LOUD, 3):
            wait_until(lambda: frames.ATTACKER4 in self.sluice("set", "list", "banned", quiet=True).stdout, seconds=3)
            banned = self.sluice("set", "list", "banned")
            page = self.fetches(world.client, f"http://{NAME}/")
        screen.check(frames.ATTACKER4 in banned.stdout, "banned, by the program itself: no process has a hand in it")
        screen.check(page, "the client gets its page")

    def spoofed_flood(self):
        screen, world = self.screen, self.world
        screen.say(f"Then it makes up {SPOOFED} addresses a second, as before. None of them is over a limit, but there are "
                   "too many for the service, and it is armed: who wants a connection is asked a question first, which "
                   "a real client's TCP answers by itself, and a made-up one never does. (Some hundred got through before; "
                   "the server gives up on those within three seconds.)")
        with Flood(world, "spoofed.pcap", SPOOFED, 10):
            armed = wait_until(lambda: self.service()["armed"], seconds=5)
            time.sleep(4)
            requests = Requests(world)
            time.sleep(2)
            made, failed = requests.stop()
            self.sluice("stats", "outside")
        screen.check(armed, "armed: the server hears of proven clients only")
        screen.check(made > 0 and not failed, f"{made} requests in the same flood, none failed", f"{failed} of {made}")

    def after_the_flood(self):
        screen, world = self.screen, self.world
        screen.say("The flood is over. After ten quiet seconds the next connection finds the service as open as ever, and "
                   "the ban has ended by itself:")
        time.sleep(11)
        page = self.fetches(world.client, f"http://{WEB4}/")
        screen.check(page and wait_until(lambda: not self.service()["armed"], seconds=5), "stood down")
        banned = self.sluice("set", "list", "banned")
        screen.check(frames.ATTACKER4 not in banned.stdout, "nobody is banned")

    def service(self):
        """The one service of the policy."""
        return next(iter(self.stats()["services"].values()))

    def record_events(self):
        """Everything that is told from now on, into a file."""
        path = os.path.join(self.world.folder.name, "events")
        with open(path, "w") as out:
            self.reader = self.world.keep(subprocess.Popen(
                [SLUICE, "-n", self.world.box.netns, "events", "outside"], stdout=out, env=self.world.environment))
        wait_until(lambda: reads_events(self.reader, "outside"))  # it leaves out what came before
        return path

    def told(self, path):
        screen = self.screen
        self.reader.terminate()
        self.reader.wait(timeout=5)
        with open(path) as file:
            lines = [line for line in file if re.match(r"\S+ +\S+ +(ban|armed|stood)", line)]
        screen.say("And this is what `sluice events` told meanwhile, but for the samples of drops:")
        screen.output("".join(lines[:12]))
        told = "".join(lines)
        screen.check(all(word in told for word in ("ban", "armed", "stood")),
                     "who was banned, when the defence armed, and when it stood down")

    def mistake(self):
        screen, path = self.screen, os.path.join(self.world.folder.name, POLICY)
        screen.chapter("A mistake")
        screen.say("A slip of the finger in the policy, and apply in a hurry:")
        before = self.json("show", "-j")
        screen.command("", f"sed -i 's/from @scanners/from @scaners/' {POLICY}")
        with open(path) as file:
            text = file.read()
        with open(path, "w") as file:
            file.write(text.replace("from @scanners", "from @scaners"))
        result = self.sluice("apply", POLICY)
        screen.check(result.returncode == 1 and "did you mean @scanners?" in result.stderr,
                     "refused, with the place and with what would be right")
        screen.check(self.json("show", "-j") == before, "what ran before runs on, the same program on the same link")

    def down(self):
        screen, world = self.screen, self.world
        screen.chapter("Down")
        screen.say("And if you have seen enough:")
        result = self.sluice("down")
        screen.check(result.returncode == 0, "detached")
        link = self.show(world.box, "ip", "link", "show", "outside")
        screen.check(re.search(r"\bxdp\b", link.stdout) is None, "the interface is as it was")
        screen.say("Next: `sluice hello IFACE` on any interface shows how such a program comes into the kernel, step "
                   "by step; README.md has a tour to type along; examples/ has policies to begin with.")
        screen.line()


def rise(before, after, table, name):
    return after[table][name]["packets"] - before[table][name]["packets"]
