//! TLS read past the runtime: what the kernel has, decrypted, without waiting.

use std::io::{self, Read};

use socket2::SockRef;

/// The plain text of the TLS records that are there, past the runtime.
pub(super) struct Records<'a, D> {
    pub(super) socket: &'a SockRef<'a>,
    pub(super) session: &'a mut rustls::ConnectionCommon<D>,
}

impl<D> Read for Records<'_, D> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.session.reader().read(room) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return read,
            }
            // After 0 octets the reader above reports the end.
            self.session.read_tls(&mut &**self.socket)?;
            self.session
                .process_new_packets()
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        }
    }
}
