"""A private Postgres, started and stopped by the programs that use it: nothing to install, no port, no password.

    with EmbeddedPostgres(home) as postgres:
        psycopg.connect(postgres.dsn())

Every process that uses the server holds a shared lock on `clients.lock` for as long as it lives; the kernel takes the lock back
however the process ends. The server's parent is a keeper process, which restarts a server that died and stops it once nobody
holds that lock any more. All state lies under `home`:

    clients.lock   shared by everyone who uses the server; the keeper takes it exclusively in order to stop
    start.lock     whoever starts the server or makes its files
    keeper.lock    the keeper
    server.lock    the server and each of its sessions, so that the last of them is waited for before another server starts
    server/        belongs to the account the server runs as, closed to everybody else
        data/      the cluster
        socket/    where it listens
        server.log what the server and its keeper said
    binaries/      only when the server's account cannot reach those in site-packages

Nothing of it lies elsewhere, with two exceptions that can be removed at any time: a short name for socket/ in the system's
temporary folder when the home's own path is too long for a socket, and the copied programs in /var/lib/backhaul when root's home
is closed to the account that root lends the server.

Linux and macOS. Elsewhere, and wherever a Postgres is at hand, DATABASE_URL takes its place.
"""

from backhaul.core.embedded.locks import FileLock
from backhaul.core.embedded.server import EmbeddedPostgres
from backhaul.core.embedded.throwaway import throwaway_postgres

__all__ = ["EmbeddedPostgres", "FileLock", "throwaway_postgres"]
