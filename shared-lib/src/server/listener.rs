//! Binding a port, with an error that says whose it is and what changes it.

use std::{io, net::TcpListener, net::ToSocketAddrs, time::Duration};

use socket2::{Domain, Protocol, SockRef, Socket, Type};

/// Connections that wait to be accepted. Bursts beyond it meet a refusal by the system.
const BACKLOG: i32 = 1024;

/// What a listener is for, in the words of the settings.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    /// The service, such as `bff-web`.
    pub service: &'static str,
    /// The section of the settings, such as `server`.
    pub section: &'static str,
    /// The environment variables' prefix, such as `BFF_WEB`.
    pub prefix: &'static str,
}

/// A port that could not be had.
#[derive(Debug, thiserror::Error)]
#[error("{service}: cannot listen on {host}:{port} ([{section}]): {reason}; {variable} or [{section}] port changes it")]
pub struct BindError {
    service: &'static str,
    section: &'static str,
    host: String,
    port: u16,
    reason: String,
    variable: String,
    #[source]
    source: io::Error,
}

/// Binds the first address that `host` resolves to.
///
/// # Errors
/// [`BindError`], which names the port, the part and the setting.
pub fn bind(host: &str, port: u16, part: Part) -> Result<TcpListener, BindError> {
    listen(host, port).map_err(|source| BindError {
        service: part.service,
        section: part.section,
        host: host.to_owned(),
        port,
        reason: match source.kind() {
            io::ErrorKind::AddrInUse => "the port is in use".to_owned(),
            _ => source.to_string(),
        },
        variable: format!("{}__{}__PORT", part.prefix, part.section.to_uppercase()),
        source,
    })
}

fn listen(host: &str, port: u16) -> io::Result<TcpListener> {
    let mut last = io::Error::new(io::ErrorKind::AddrNotAvailable, "the host name has no address");
    for address in (host, port).to_socket_addrs()? {
        let bound = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP)).and_then(|socket| {
            socket.set_reuse_address(true)?;
            socket.bind(&address.into())?;
            socket.listen(BACKLOG)?;
            Ok(TcpListener::from(socket))
        });
        match bound {
            Ok(listener) => return Ok(listener),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Has the system close connections of this listener whose peer has not acknowledged for so long what was sent, or has had
/// no room for more (`TCP_USER_TIMEOUT`, RFC 5482). Without it, what is sent to a client whose network is gone is repeated
/// for a quarter of an hour. Accepted connections inherit the option. Only Linux has it.
pub fn give_up_on_silent_peers(listener: &TcpListener, after: Duration) {
    #[cfg(target_os = "linux")]
    if let Err(error) = SockRef::from(listener).set_tcp_user_timeout(Some(after)) {
        tracing::warn!(%error, "connections to silent clients are kept until the system gives up by itself");
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (listener, after);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shows: S10, W17
    #[cfg(target_os = "linux")]
    #[test]
    fn a_connection_inherits_how_long_a_silent_peer_is_waited_for() {
        let part = Part { service: "bff-web", section: "server", prefix: "BFF_WEB" };
        let listener = bind("127.0.0.1", 0, part).expect("some port is free");
        give_up_on_silent_peers(&listener, Duration::from_secs(30));
        let _client = std::net::TcpStream::connect(listener.local_addr().expect("it is bound")).expect("it listens");
        let (accepted, _) = listener.accept().expect("it was connected to");
        let timeout = SockRef::from(&accepted).tcp_user_timeout().expect("the system knows the option");
        assert_eq!(timeout, Some(Duration::from_secs(30)));
    }

    #[test]
    fn a_port_in_use_is_named_with_its_part_and_the_setting_that_changes_it() {
        let part = Part { service: "bff-web", section: "management", prefix: "BFF_WEB" };
        let taken = bind("127.0.0.1", 0, part).expect("some port is free");
        let port = taken.local_addr().expect("it is bound").port();
        let error = bind("127.0.0.1", port, part).expect_err("the port is taken").to_string();
        assert_eq!(
            error,
            format!(
                "bff-web: cannot listen on 127.0.0.1:{port} ([management]): the port is in use; \
                 BFF_WEB__MANAGEMENT__PORT or [management] port changes it"
            )
        );
    }
}
