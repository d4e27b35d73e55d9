//! A Redis of its own: started on a free port, paused, killed and started again.

use std::net::SocketAddr;
use std::process::Command;

use redis::{Client, Connection};
use rustix::process::Signal;
use tempfile::TempDir;

use crate::program::{Program, free_address};
use crate::wait;

#[derive(Debug)]
pub(crate) struct RedisServer {
    program: Program,
    address: SocketAddr,
    folder: TempDir,
    persistence: Persistence,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Persistence {
    Off,
    Always,
}

impl RedisServer {
    pub(crate) fn start(persistence: Persistence) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // The port may be taken between looking and listening.
        for _ in 0..5 {
            let address = free_address();
            let mut program = launch(address, &folder, persistence);
            let ready = program.tells("Redis to start", |log| {
                let is_up = log.contains("Ready to accept connections");
                (is_up || log.contains("Address already in use")).then_some(is_up)
            });
            if ready {
                return Self { program, address, folder, persistence };
            }
        }
        panic!("no free port for Redis");
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    pub(crate) fn connect(&self) -> Connection {
        Client::open(self.url()).unwrap().get_connection().unwrap()
    }

    pub(crate) fn kill(&mut self) {
        self.program.kill();
    }

    /// Starts it again where it was, with what it had written.
    pub(crate) fn start_again(&mut self) {
        self.program = wait::until("the port of Redis", || {
            let mut program = launch(self.address, &self.folder, self.persistence);
            let is_up = program.tells("Redis to start", |log| {
                let is_up = log.contains("Ready to accept connections");
                (is_up || log.contains("Address already in use")).then_some(is_up)
            });
            is_up.then_some(program)
        });
    }

    pub(crate) fn pause(&self) {
        self.program.signal(Signal::STOP);
    }

    pub(crate) fn go_on(&self) {
        self.program.signal(Signal::CONT);
    }
}

fn launch(address: SocketAddr, folder: &TempDir, persistence: Persistence) -> Program {
    let mut command = Command::new("redis-server");
    command.current_dir(folder.path());
    command.args(["--port", &address.port().to_string(), "--bind", "127.0.0.1", "--save", ""]);
    if let Persistence::Always = persistence {
        command.args(["--appendonly", "yes", "--appendfsync", "always"]);
    }
    Program::start(command)
}
