"""A thousand clients that send their heads byte by byte, and one that is served
all the same, under each strategy that has room for so many."""
import resource
import sys

from service import ServiceTest, run, under_each_strategy

PROGRAM = sys.argv[1]
SLOW = 1000
# Where a worker has one client, or a few; threading has room for so many.
WORKERS = {"forking": 2 * SLOW, "thread-pool": 2 * SLOW, "prefork": SLOW + 20,
           "prefork:threading": 8, "prefork:thread-pool": SLOW // 4}


class SlowClients(ServiceTest):
    @property
    def arguments(self):
        """So many workers that the silent clients are in nobody's way, where a
        worker has one client; and time for a machine that is slow itself."""
        time = ("--first-byte-timeout", "600", "--header-timeout", "600")
        workers = WORKERS.get(self.strategy)
        return (*time, "--max-workers", str(workers)) if workers else time

    def test_a_good_client_is_served(self):
        if self.strategy == "synchronous":
            self.skipTest("one client at a time")
        slow = [self.connect() for _ in range(SLOW)]
        for byte in b"GET / HT":
            for connection in slow:
                connection.send(bytes([byte]))
            good = self.connect()
            self.assertEqual(good.get("/healthz")[0], 200)
            good.close()
        for connection in slow:
            connection.send(b"TP/1.1\r\nHost: a\r\n\r\n")
        for connection in slow:
            self.assertEqual(connection.response()[0], 200)


hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
sys.exit(run(under_each_strategy(PROGRAM, SlowClients)))
