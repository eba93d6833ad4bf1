"""A PostgreSQL server owned by the tests: made, started, killed and stopped by them alone.

The server lives in a temporary folder, listens on a free loopback port and a socket inside that
folder, and keeps the durability of production (``fsync`` on). Only the process started here is
ever signalled.
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

_INSTALLED = Path("/usr/lib/postgresql")
_START_TIMEOUT_S = 30.0
_STOP_TIMEOUT_S = 30.0
_START_ATTEMPTS = 3
_OWNER = "clearance"

# Small, because several workers may each run one; durable, because durability is what is tested.
_SETTINGS = {
    "listen_addresses": "'127.0.0.1'",
    "unix_socket_permissions": "0777",
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "shared_buffers": "'64MB'",
    "max_wal_size": "'256MB'",
    "max_connections": "100",
    "autovacuum_naptime": "'10s'",
    "log_min_messages": "warning",
    "timezone": "'UTC'",
}


@dataclass(frozen=True, slots=True)
class PostgresPrograms:
    """Where the server's programs are, and the words that drop root rights in front of them."""

    folder: Path
    prefix: tuple[str, ...]
    owner_id: int | None

    def command(self, name: str, *arguments: str) -> list[str]:
        """The command line of one of PostgreSQL's programs."""
        return [*self.prefix, str(self.folder / name), *arguments]


def find_postgres() -> PostgresPrograms | None:
    """The newest PostgreSQL installed, or None when there is none that this user may run.

    PostgreSQL refuses to run as root, so root starts it as the user ``postgres``.
    """
    found = shutil.which("initdb")
    folders = [path.parent for path in _INSTALLED.glob("*/bin/initdb")]
    folders.sort(key=lambda folder: [int(part) for part in folder.parent.name.split(".")])
    if not folders and found is None:
        return None
    folder = folders[-1] if folders else Path(str(found)).resolve().parent
    if os.geteuid() != 0:
        return PostgresPrograms(folder, (), None)
    try:
        owner_id = pwd.getpwnam("postgres").pw_uid
    except KeyError:
        return None
    if shutil.which("setpriv") is None:
        return None
    prefix = ("setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups")
    return PostgresPrograms(folder, prefix, owner_id)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(slots=True)
class PostgresServer:
    """One server and its data folder; made by :meth:`running`."""

    programs: PostgresPrograms
    folder: Path
    port: int = 0
    _process: subprocess.Popen[bytes] | None = None
    _databases: int = field(default=0)

    @classmethod
    @contextmanager
    def running(cls, programs: PostgresPrograms) -> Iterator[PostgresServer]:
        """Make a data folder, start a server on it, and remove both at the end."""
        with tempfile.TemporaryDirectory(prefix="clearance-pg-") as name:
            server = cls(programs, Path(name))
            server._initialise()
            try:
                server.start()
                yield server
            finally:
                server.stop()

    @property
    def log(self) -> str:
        """What the server has said so far."""
        path = self.folder / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def url(self, database: str) -> str:
        """The SQLAlchemy address of ``database`` through asyncpg."""
        return f"postgresql+asyncpg://{_OWNER}@127.0.0.1:{self.port}/{database}"

    def fresh_database(self) -> str:
        """Create an empty database and return its address."""
        self._databases += 1
        name = f"test_{self._databases}"
        self._run("createdb", *self._connection_arguments(), name)
        return self.url(name)

    def start(self) -> None:
        """Start the server and wait until it answers; also after :meth:`stop` or :meth:`kill`.

        The port stays the same over restarts, so that clients find the server again.
        """
        assert self._process is None, "already running"
        for attempt in range(_START_ATTEMPTS):
            self.port = self.port or _free_port()
            if self._start_once():
                return
            if "Address already in use" not in self.log or attempt == _START_ATTEMPTS - 1:
                break
            self.port = 0
        raise RuntimeError(f"PostgreSQL did not start:\n{self.log[-2000:]}")

    def stop(self) -> None:
        """Shut down fast: open transactions are rolled back, everything is flushed."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """Stop at once as a power cut would (immediate mode): the next start recovers from WAL."""
        self._end(signal.SIGQUIT)

    def _initialise(self) -> None:
        self.folder.chmod(0o755)
        data = self.folder / "data"
        data.mkdir(mode=0o700)
        if self.programs.owner_id is not None:
            os.chown(data, self.programs.owner_id, -1)
            os.chown(self.folder, self.programs.owner_id, -1)
        self._run(
            "initdb",
            f"--pgdata={data}",
            f"--username={_OWNER}",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
            "--no-instructions",
        )

    def _start_once(self) -> bool:
        options = {
            **_SETTINGS,
            "port": str(self.port),
            "unix_socket_directories": f"'{self.folder}'",
        }
        lines = "".join(f"{key} = {value}\n" for key, value in options.items())
        (self.folder / "data" / "postgresql.auto.conf").write_text(lines)
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self.programs.command("postgres", "-D", str(self.folder / "data")),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + _START_TIMEOUT_S
        ready = self.programs.command("pg_isready", "-q", *self._connection_arguments())
        while time.monotonic() < deadline and self._process.poll() is None:
            if subprocess.run(ready, cwd=self.folder, check=False).returncode == 0:
                return True
            time.sleep(0.05)
        self._end(signal.SIGQUIT)
        return False

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _connection_arguments(self) -> tuple[str, ...]:
        return (f"--host={self.folder}", f"--port={self.port}", f"--username={_OWNER}")

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            self.programs.command(program, *arguments),
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"{program}: {done.stderr.strip()[-2000:]}")
