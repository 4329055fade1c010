# SPDX-License-Identifier: BSD-2-Clause
"""The filter on a real cable: accepted, rejected, limited, logged, counted, and changed while it runs."""
import contextlib
import json
import os
import re
import signal
import subprocess
import time

import pytest
from scapy.all import IP, UDP

from lab import SLUICE, wait_until
from scene import BOX4, BOX6, CLIENT4, CLIENT6, policy


def frame(scene, source=CLIENT4, target=BOX4, dport=9, **fields):
    made = scene.ethernet() / IP(src=source, dst=target, **fields) / UDP(sport=1, dport=dport)
    return made / bytes(60 - len(made))


def rules(scene):
    """By line: packets."""
    return {int(name.rsplit(":", 1)[1]): entry["packets"] for name, entry in scene.box.stats()["rules"].items()}


def connect(scene, address, port, timeout=2):
    """What a client gets: "open", or the words of the error."""
    family = 10 if ":" in address else 2
    made = scene.client.socket(family, 1, timeout=timeout)
    try:
        made.connect((address, port))
        return "open"
    except TimeoutError:
        return "nothing"
    except OSError as error:
        return error.strerror
    finally:
        made.close()


def serve(scene, port):
    server = scene.box.socket(10, 1)
    server.setsockopt(1, 2, 1)
    server.bind(("::", port))
    server.listen(8)
    return server


@pytest.mark.parametrize("mode", ["native", "generic"])
def test_tcp_and_ping_are_accepted_dropped_and_rejected(scene, mode):
    scene.box.apply(policy("filter {", "accept tcp dport 80", "reject tcp dport 81",
                           "reject with admin-prohibited tcp dport 82", "drop tcp dport 83",
                           "reject udp dport 84", "drop icmp type echo-request",
                           "drop icmpv6 type echo-request", "}", mode=mode))
    if mode == "native":
        # drivers/net/veth.c, veth_xdp_flush: what XDP sends is only delivered at once to an end that has a program too.
        scene.client.apply(policy())
    for port in (80, 81, 82, 83):
        serve(scene, port)
    for address in (BOX4, BOX6):
        assert connect(scene, address, 80) == "open"
        assert connect(scene, address, 81) == "Connection refused"
        assert connect(scene, address, 82) in ("No route to host", "Permission denied")
        assert connect(scene, address, 83, timeout=0.3) == "nothing"
        probe = scene.client.socket(10 if ":" in address else 2, 2)
        probe.connect((address, 84))
        probe.send(b"x" * 900)
        assert wait_until(lambda: probe.getsockopt(1, 4) == 111)  # SO_ERROR: ECONNREFUSED
    assert not scene.ping(CLIENT4, BOX4) and not scene.ping(CLIENT6, BOX6)
    reasons = scene.box.stats()["reasons"]
    assert reasons["filter-reject"]["packets"] >= 6 and reasons["filter-rule"]["packets"] > 6


def test_what_a_link_needs_passes_a_filter_that_drops_everything(lab):
    """default-deny eats ARP/NDP: neither the default nor a rule that says `drop` does."""
    from scene import Scene
    scene = Scene(lab)
    scene.box.address("eth0", f"{BOX4}/24", f"{BOX6}/64")
    scene.client.address("eth0", f"{CLIENT4}/24", f"{CLIENT6}/64")
    scene.box.apply(policy("filter {", "accept icmp type { echo-request, echo-reply }",
                           "accept icmpv6 type { echo-request, echo-reply }", "drop", "default drop", "}"))
    assert scene.ping(CLIENT4, BOX4) and scene.ping(CLIENT6, BOX6)


def test_counters_survive_a_reload_and_more_slots(quiet):
    """counters lost on reload: also when the next policy needs a larger map, and after rollback to the smaller one."""
    kept = "drop udp dport 9 count probes"
    quiet.box.apply(policy("filter {", kept, "}"))
    quiet.send(*[frame(quiet)] * 7)
    many = [f"drop tcp dport {port} ttl 1" for port in range(1, 6001)]
    quiet.box.apply(policy("filter {", kept, *many, "}"))
    assert rules(quiet)[4] == 7
    assert len([pin for pin in quiet.lab.pinned() if re.search(r"state/eth0/rules\d*$", pin)]) == 2
    quiet.send(*[frame(quiet)] * 5)
    assert rules(quiet)[4] == 12
    quiet.box.sluice("rollback")
    quiet.send(*[frame(quiet)] * 3)
    stats = quiet.box.stats()
    assert stats["counters"]["probes"] == {"packets": 15, "bytes": 900}
    assert rules(quiet)[4] == 15


def test_rules_keep_what_they_do_and_count_wherever_their_counters_are(quiet):
    """Rules lose neighbours and get new ones, so that counters of a run of rules are here and there; some do more than
    accept or drop. Each packet is judged and counted by its own rule, over three changes."""
    def does(port):
        return ("drop", "accept", "reject", "accept count named", "drop log 1/9")[port % 5]

    ports, counted = list(range(1, 90)), {}
    fewer = [port for port in ports if port % 7]
    for kept in (ports, fewer, [*range(200, 210), *fewer], fewer[::-1]):
        quiet.box.apply(policy("filter {", *(f"{does(p)} udp dport {p}" for p in kept), "}"))
        counted = {p: counted.get(p, 0) + 1 for p in kept}
        came = quiet.send(*(frame(quiet, dport=p) for p in kept))
        assert len(came) == sum(does(p).startswith("accept") for p in kept)
        found = {int(entry["text"].split("dport ")[1].split()[0]): entry["packets"]
                 for entry in quiet.box.stats()["rules"].values()}
        assert found == counted


def test_named_counters_add_up_over_rules(quiet):
    quiet.box.apply(policy("filter {", "drop udp dport 9 count odd", "drop udp dport 10 count odd",
                           "accept udp dport 11 count fine", "}"))
    quiet.send(*[frame(quiet)] * 2, *[frame(quiet, dport=10)] * 3, frame(quiet, dport=11))
    assert {name: entry["packets"] for name, entry in quiet.box.stats()["counters"].items()} == {"odd": 5, "fine": 1}
    assert re.search(r"^counter +odd +5 +300$", quiet.box.sluice("stats").stdout, re.M)


def test_a_limit_lets_through_what_it_says(quiet):
    """Within a tenth, and for each source on its own."""
    quiet.box.apply(policy("filter {", "accept udp dport 9 limit 1000/s burst 10 per source", "drop udp", "}"))
    frames = [frame(quiet, source=f"198.51.100.{n}") for n in (11, 12)]
    began = time.monotonic()
    flood = quiet.flood(*frames)
    time.sleep(2)
    sent = flood.stop()
    seconds = time.monotonic() - began
    reasons = quiet.box.stats()["reasons"]
    passed, over = reasons["filter-rule"]["packets"], reasons["filter-limit"]["packets"]
    assert sent > 10000 and over > 0
    assert 0.9 * 2 * 1000 * 2 <= passed <= 1.1 * 2 * (1000 * seconds + 10)


def test_a_limit_goes_on_over_an_apply(quiet):
    statements = ["filter {", "accept udp dport 9 limit 5/d burst 5 per source", "}"]
    quiet.box.apply(policy(*statements, "default drop"))
    assert len(quiet.send(*[frame(quiet)] * 8)) == 5
    quiet.box.apply(policy(*statements, "default drop", "block { from 192.0.2.1 }"))
    assert len(quiet.send(*[frame(quiet)] * 8)) == 0
    assert len(quiet.send(*[frame(quiet, source="198.51.100.77")] * 8)) == 5


def reads(pid):
    """The process holds the folder of an interface's state: it has the events."""
    with contextlib.suppress(OSError):
        return any(os.readlink(f"/proc/{pid}/fd/{fd}").endswith("/state/eth0") for fd in os.listdir(f"/proc/{pid}/fd"))
    return False


def test_events_tell_of_logged_packets(quiet):
    quiet.box.apply(policy("filter {", "drop udp dport 9 log", "accept udp dport 10", "}"))
    reader = quiet.lab.keep(subprocess.Popen(
        [SLUICE, "-n", quiet.box.netns, "events", "eth0", "-j", "--count", "3"], stdout=subprocess.PIPE, text=True,
        env=quiet.lab.environment, start_new_session=True))
    assert wait_until(lambda: reads(reader.pid))
    second = quiet.box.sluice("events", "eth0", check=False, timeout=3)
    assert second.returncode == 1 and "somebody else reads the events of eth0" in second.stderr
    quiet.send(*[frame(quiet, source="198.51.100.5")] * 3, frame(quiet, dport=10))
    lines = [json.loads(line) for line in reader.communicate(timeout=5)[0].splitlines()]
    assert reader.returncode == 0 and len(lines) == 3
    path = f"{quiet.lab.folder.name}/test.policy"
    for line in lines:
        assert abs(time.time() - time.mktime(time.strptime(line.pop("time")[:19], "%Y-%m-%dT%H:%M:%S"))
                   + time.timezone) < 60
        assert line == {
            "event": "log", "interface": "eth0", "verdict": "drop", "reason": "filter-rule", "stage": "filter", "rule": f"{path}:4",
            "rule_text": "drop udp dport 9 log", "src": "198.51.100.5", "dst": BOX4, "proto": "udp", "sport": 1,
            "dport": 9, "ttl": 64, "dscp": 0, "vlan": [], "fragment": "none", "length": 60}


def test_a_reader_goes_on_when_the_ring_is_another_one(quiet):
    """Two policies without `log` let go of it, and the next one has a new one."""
    logs, silent = policy("filter {", "drop udp log", "}"), "filter {\n drop tcp dport %d }"
    quiet.box.apply(logs)
    reader = quiet.lab.keep(subprocess.Popen(
        [SLUICE, "-n", quiet.box.netns, "events", "-j", "--count", "3"], stdout=subprocess.PIPE, text=True,
        env=quiet.lab.environment, start_new_session=True))
    assert wait_until(lambda: reads(reader.pid))
    quiet.send(frame(quiet))
    for port in (1, 2):
        quiet.box.apply(policy(silent % port))
        time.sleep(0.3)
    assert not [pin for pin in quiet.lab.pinned() if "events" in pin] and reader.poll() is None
    quiet.box.apply(logs)
    quiet.send(*[frame(quiet)] * 2)
    assert len(reader.communicate(timeout=10)[0].splitlines()) == 3 and reader.returncode == 0


def test_a_slot_does_not_keep_the_limit_of_the_rule_before(quiet):
    """It is dealt out again two policies later; the old rule was ahead of its time by weeks."""
    quiet.box.apply(policy("filter {", "accept udp dport 9 limit 1/d burst 20", "}"))
    assert len(quiet.send(*[frame(quiet)] * 20)) == 20
    for rule in ("accept tcp limit 5/s", "accept sctp limit 5/s"):
        quiet.box.apply(policy("filter {", rule, "}"))
    quiet.box.apply(policy("filter {", "accept udp dport 9 limit 1000/s", "}"))
    assert len(quiet.send(*[frame(quiet)] * 20)) == 20


def reading(scene, *words):
    reader = scene.lab.keep(subprocess.Popen(
        [SLUICE, "-n", scene.box.netns, "events", "-j", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=scene.lab.environment, start_new_session=True))
    assert wait_until(lambda: reads(reader.pid))
    return reader


def test_a_reader_begins_with_what_comes_from_now_on(quiet):
    """Not with thousands of old events, nor with what was lost before it came."""
    quiet.box.apply(policy("filter {", "drop udp log", "}"))
    flood = quiet.flood(frame(quiet))
    assert wait_until(lambda: quiet.box.stats()["verdicts"]["drop"]["packets"] > 40000, 10)
    flood.stop()
    reader = reading(quiet, "--count", "2")
    time.sleep(0.3)
    quiet.send(*[frame(quiet, source="198.51.100.5")] * 2)
    said, waited = reader.communicate(timeout=5)
    assert [json.loads(line).get("src") for line in said.splitlines()] == ["198.51.100.5"] * 2
    match = re.fullmatch(r"sluice: (\d+) events of eth0 that came before and waited for a reader are left out\n", waited)
    assert int(match[1]) > 5000


def is_stopped(pid):
    with open(f"/proc/{pid}/stat") as stat:
        return stat.read().rpartition(")")[2].split()[0] == "T"


def hold_up(reader):
    """Stops it while it holds no lock that changes wait for; it takes one for a moment five times a second."""
    for _ in range(100):
        os.kill(reader.pid, signal.SIGSTOP)
        assert wait_until(lambda: is_stopped(reader.pid))
        with open("/proc/locks") as locks:
            if not re.search(rf" READ +{reader.pid} ", locks.read()):
                return
        os.kill(reader.pid, signal.SIGCONT)
        time.sleep(0.01)
    raise RuntimeError("the reader holds the lock whenever it is looked at")


def test_an_old_event_does_not_name_the_new_rule_of_its_slot(quiet):
    """The reader is held up while policies come; the last one has the slot again."""
    quiet.box.apply(policy("filter {", "drop udp log", "}"))
    reader = reading(quiet, "--count", "2")
    hold_up(reader)
    quiet.send(frame(quiet))
    time.sleep(2.1)  # generations know the second they came
    for port in (11, 10, 9):
        quiet.box.apply(policy("filter {", f"drop udp dport {port} log", "}"))
    quiet.send(frame(quiet))
    os.kill(reader.pid, signal.SIGCONT)
    lines = [json.loads(line) for line in reader.communicate(timeout=5)[0].splitlines()]
    assert [line.get("rule_text") for line in lines] == [None, "drop udp dport 9 log"]


def test_interfaces_that_log_later_are_read_by_who_reads_all(quiet):
    """And those that go are no longer, while others are left."""
    others = [f"eth{number}" for number in range(1, 7)]
    for name in others:
        quiet.lab.cable(quiet.box, name, quiet.client, name)
    logs = policy("filter {", "drop udp log", "}")
    quiet.box.apply(logs)
    reader = reading(quiet)
    quiet.box.apply(logs + "".join(policy("filter {", "drop udp dport 9 log", "}", interface=name) for name in others))
    time.sleep(0.5)  # it looks every 0.2 seconds
    for name in others:
        quiet.client.wire(name).send(bytes(frame(quiet)))
    quiet.send(frame(quiet))
    told = [json.loads(reader.stdout.readline()) for _ in range(7)]
    assert sorted(line["interface"] for line in told) == ["eth0", *others]
    assert {line["rule_text"] for line in told} == {"drop udp log", "drop udp dport 9 log"}
    for name in others[:3]:
        quiet.box.sluice("down", name)
    time.sleep(0.5)
    quiet.client.wire("eth5").send(bytes(frame(quiet)))
    assert json.loads(reader.stdout.readline())["interface"] == "eth5"
    reader.kill()


def test_events_that_nobody_reads_in_time_are_counted(quiet):
    quiet.box.apply(policy("filter {", "drop udp log", "}"))
    reader = reading(quiet)
    quiet.send(frame(quiet))
    assert json.loads(reader.stdout.readline())["reason"] == "filter-rule"
    os.kill(reader.pid, 19)  # stopped: what comes now waits in the ring, which is full after some time
    flood = quiet.flood(frame(quiet))
    assert wait_until(lambda: quiet.box.stats()["verdicts"]["drop"]["packets"] > 40000, 10)
    flood.stop()
    dropped = quiet.box.stats()["verdicts"]["drop"]["packets"]
    os.kill(reader.pid, 18)
    time.sleep(1)
    os.kill(reader.pid, 2)
    lines = [json.loads(line) for line in reader.communicate(timeout=10)[0].splitlines()]
    lost = sum(line.get("lost", 0) for line in lines)
    assert reader.returncode == 0 and lost > 0
    assert lost + sum("lost" not in line for line in lines) + 1 == dropped


def test_events_say_what_keeps_them_from_being_read(quiet):
    asked = quiet.box.sluice("events", check=False)
    assert asked.returncode == 1 and "nothing becomes an event" in asked.stderr
    quiet.box.apply(policy("filter {", "drop udp", "}"))
    asked = quiet.box.sluice("events", "eth0", check=False)
    assert asked.returncode == 1 and "nothing of eth0 becomes an event" in asked.stderr
    assert not [pin for pin in quiet.lab.pinned() if "events" in pin]
    asked = quiet.box.sluice("events", "eth7", check=False)
    assert asked.returncode == 1 and "nothing of Sluice runs on eth7" in asked.stderr


def test_what_no_policy_needs_any_more_is_not_pinned(quiet):
    quiet.box.apply(policy("filter {", "accept udp limit 1/s log", "}", "fragments track"))
    pins = {os.path.basename(pin) for pin in quiet.lab.pinned() if "state/eth0/" in pin}
    assert pins == {"counters", "rules", "limits", "fragments", "events", "events_lost", "top", "talkers"}
    quiet.box.apply(policy("filter {", "drop tcp", "}"))
    quiet.box.apply(policy("filter {", "drop sctp", "}"))
    pins = {os.path.basename(pin) for pin in quiet.lab.pinned() if "state/eth0/" in pin}
    assert pins == {"counters", "rules", "top", "talkers"}
    assert not quiet.box.show()["remains"]


def test_many_rules_swapped_under_load_lose_nothing(quiet):
    """Each packet is judged by a whole policy and counted once, in one map of counters or the other."""
    def text(turn):
        return policy("filter {", *(f"drop tcp from 10.{n >> 8}.{n & 255}.0/24 dport {turn + 1}" for n in range(5000)),
                      "drop udp dport 9 count probes", "}")

    quiet.box.apply(text(0))
    flood = quiet.flood(frame(quiet))
    for turn in range(1, 4):
        quiet.box.apply(text(turn))
    sent = flood.stop()
    quiet.send()
    stats = quiet.box.stats()
    assert sent > 1000
    assert stats["counters"]["probes"]["packets"] == stats["reasons"]["filter-rule"]["packets"] == sent
    assert stats["verdicts"]["drop"]["packets"] == sent
