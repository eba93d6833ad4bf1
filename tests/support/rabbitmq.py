"""A RabbitMQ broker owned by the tests: made, started, killed and stopped by them alone.

It has a data folder, a node name, an epmd and loopback ports of its own, so it meets no other
broker of this machine. Only the processes started here are ever signalled.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

_INSTALLED = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
_START_TIMEOUT_S = 90.0
_STOP_TIMEOUT_S = 30.0
_DISK_FREE = "50MB"


@dataclass(frozen=True, slots=True)
class RabbitPrograms:
    """Where the broker's programs are, and the words that drop root rights in front of them."""

    server: Path
    epmd: Path
    prefix: tuple[str, ...]
    owner_id: int | None


def find_rabbitmq() -> RabbitPrograms | None:
    """The installed RabbitMQ, or None when there is none that this user may run.

    Its own start script refuses to run as anybody but root or ``rabbitmq``, and as root changes to
    ``rabbitmq``; the server behind it runs as whoever starts it.
    """
    epmd = shutil.which("epmd")
    if not _INSTALLED.exists() or epmd is None:
        return None
    if os.geteuid() != 0:
        return RabbitPrograms(_INSTALLED, Path(epmd), (), None)
    try:
        owner_id = pwd.getpwnam("rabbitmq").pw_uid
    except KeyError:
        return None
    if shutil.which("setpriv") is None:
        return None
    prefix = ("setpriv", "--reuid=rabbitmq", "--regid=rabbitmq", "--clear-groups")
    return RabbitPrograms(_INSTALLED, Path(epmd), prefix, owner_id)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(slots=True)
class RabbitServer:
    """One broker and its data folder; made by :meth:`running`."""

    programs: RabbitPrograms
    folder: Path
    port: int = field(default_factory=_free_port)
    _epmd: subprocess.Popen[bytes] | None = None
    _process: subprocess.Popen[bytes] | None = None
    _epmd_port: int = field(default_factory=_free_port)
    _dist_port: int = field(default_factory=_free_port)

    @classmethod
    @contextmanager
    def running(cls, programs: RabbitPrograms) -> Iterator[RabbitServer]:
        """Make a data folder, start a broker on it, and remove both at the end."""
        with tempfile.TemporaryDirectory(prefix="clearance-mq-") as name:
            server = cls(programs, Path(name))
            server._initialise()
            try:
                server.start()
                yield server
            finally:
                server.stop()

    @property
    def url(self) -> str:
        """The address of the broker; its user is guest, with the password guest."""
        return f"amqp://guest@127.0.0.1:{self.port}/"

    def start(self) -> None:
        """Start the broker and wait until it answers; also after :meth:`stop` or :meth:`kill`."""
        assert self._process is None, "already running"
        self._epmd = self._popen(str(self.programs.epmd), "-port", str(self._epmd_port))
        self._process = self._popen(str(self.programs.server))
        deadline = time.monotonic() + _START_TIMEOUT_S
        while time.monotonic() < deadline and self._process.poll() is None:
            if self._answers():
                return
            time.sleep(0.1)
        self.stop()
        log = (self.folder / "out").read_text(errors="replace")
        raise RuntimeError(f"RabbitMQ did not start:\n{log[-2000:]}")

    def stop(self) -> None:
        """Shut down: what is durable is kept."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Stop at once as a power cut would."""
        self._end(signal.SIGKILL)

    def _initialise(self) -> None:
        self.folder.chmod(0o755)
        (self.folder / "rabbitmq.conf").write_text(
            f"listeners.tcp.1 = 127.0.0.1:{self.port}\ndisk_free_limit.absolute = {_DISK_FREE}\n"
        )
        (self.folder / "enabled_plugins").write_text("[].\n")
        if self.programs.owner_id is not None:
            os.chown(self.folder, self.programs.owner_id, -1)

    def _popen(self, *command: str) -> subprocess.Popen[bytes]:
        folder = self.folder
        surroundings = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "RABBITMQ_NODENAME": f"clearance-{self.port}@localhost",
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_DIST_PORT": str(self._dist_port),
            "RABBITMQ_PID_FILE": str(folder / "pid"),
            # Two busy schedulers are enough for a test, and leave the machine to others.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
                "+S 2:2 +sbwt none -kernel inet_dist_use_interface {127,0,0,1}"
            ),
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
        }
        with (folder / "out").open("ab") as log:
            return subprocess.Popen(
                [*self.programs.prefix, *command],
                cwd=folder,
                env=surroundings,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _answers(self) -> bool:
        """Whether the broker speaks: an open port alone may come before it is ready."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as probe:
                probe.settimeout(2)
                probe.sendall(b"AMQP\x00\x00\x09\x01")
                return probe.recv(1) == b"\x01"
        except OSError:
            return False

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is not None:
            # The start script waits for the broker: both are in the session that we made.
            _signal_group(process, how)
            try:
                process.wait(_STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                _signal_group(process, signal.SIGKILL)
                process.wait()
        epmd, self._epmd = self._epmd, None
        if epmd is not None:
            epmd.kill()
            epmd.wait()


def _signal_group(process: subprocess.Popen[bytes], how: signal.Signals) -> None:
    try:
        os.killpg(process.pid, how)
    except ProcessLookupError:
        return
