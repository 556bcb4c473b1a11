//! Checks that any text is either an address or an error, and that the text of an address parses to
//! the same address.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nullink::Address;
use nullink::address::AddressError;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = str::from_utf8(data) else {
        return;
    };
    let address = match Address::parse(text) {
        Ok(address) => address,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            // Errors about listening only.
            let of_listener = [AddressError::UnknownProperty, AddressError::BadMode];
            assert!(!of_listener.contains(&error));
            return;
        }
    };
    let again = address.to_string();
    assert_eq!(Address::parse(&again), Ok(address), "{again}");

    // Every part is in the text: nothing is invented or decoded.
    match address {
        Address::Unix(part) | Address::Abstract(part) => {
            assert!(!part.is_empty() && text.contains(part));
        }
        Address::Interface(name) => {
            let (address, _) = text.split_once(';').unwrap_or((text, ""));
            assert!(nullink::name::is_interface(name) && name == address);
        }
        Address::Device(path) | Address::Exec(path) => {
            assert!(path.starts_with('/') && text.contains(path));
        }
        // Core reads the same addresses.
        Address::Tcp(to) => {
            let (address, _) = text.split_once(';').unwrap_or((text, ""));
            assert_eq!(Ok(to), address["tcp:".len()..].parse());
        }
        Address::TcpName(to) => {
            let (host, port) = to.rsplit_once(':').expect("a port");
            assert!(!host.is_empty() && port.parse::<u16>().is_ok());
            assert!(to.parse::<core::net::SocketAddr>().is_err());
        }
        _ => {}
    }

    // Properties do not change an address, but a path can have any characters.
    if !text.starts_with(['/', '.']) {
        assert_eq!(Address::parse(&format!("{text};mode=0600")), Ok(address));
    }
});
