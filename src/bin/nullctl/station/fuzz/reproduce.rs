//! Prints a case as a command for the shell.

use std::fmt::Write;

use nullink::Address;

use super::case::Case;

/// The length from which an argument may be too long for execve(2): MAX_ARG_STRLEN is 128 KiB.
const ARGUMENT: usize = 100_000;

/// The length from which zeros are written as `$(printf %0100d)`.
const ZEROS: usize = 40;

/// Returns a command that sends the case.
pub fn command(address: &str, case: &Case) -> String {
    if let Some((call, method)) = simple(case) {
        let flag = if case.has("more") {
            "--more "
        } else if case.has("oneway") {
            "--oneway "
        } else {
            ""
        };
        let (address, method) = (quoted(address), quoted(method));
        let command = format!("nullctl call {flag}{address} {method}");
        return match call.parameters.as_ref().map(ToString::to_string) {
            None => format!("{command} '{{}}'"),
            Some(parameters) if parameters.len() >= ARGUMENT => {
                format!("{} | {command} -", printf(parameters.as_bytes(), ""))
            }
            Some(parameters) => format!("{command} {}", quoted(&parameters)),
        };
    }
    let to = match Address::parse(address) {
        Ok(Address::Unix(path)) => format!("UNIX-CONNECT:{}", quoted(path)),
        Ok(Address::Abstract(name)) => format!("ABSTRACT-CONNECT:{}", quoted(name)),
        Ok(Address::Tcp(to)) => format!("TCP:{to}"),
        Ok(Address::TcpName(to)) => format!("TCP:{}", quoted(to)),
        Ok(Address::Vsock { cid, port }) => format!("VSOCK-CONNECT:{cid}:{port}"),
        Ok(Address::Device(path)) => quoted(path),
        Ok(_) | Err(_) => format!("ADDRESS # {address}"),
    };
    format!("{} | socat -t 5 - {to}", printf(&case.bytes(), "\\0"))
}

/// Returns the call, if `nullctl call` can make it.
fn simple(case: &Case) -> Option<(&super::case::Call, &str)> {
    let Case::Call(call) = case else { return None };
    let crate::station::value::Value::String(method) = &call.method else {
        return None;
    };
    let is_object = matches!(
        call.parameters,
        None | Some(crate::station::value::Value::Object(_))
    );
    let flags = call
        .members
        .iter()
        .all(|(name, _)| ["more", "oneway"].contains(&&name[..]));
    let is_json = nullink::json::Raw::new(&call.to_string()).is_ok();
    let named = nullink::name::split(method).is_some();
    let one = call.members.len() <= 1;
    (is_object && flags && one && is_json && named).then_some((call, method))
}

/// Quotes a word for the shell. Long runs of zeros are printed by printf.
fn quoted(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/.:_-@[]".contains(&byte);
    if !word.is_empty() && word.bytes().all(is_plain) && word.len() < ZEROS {
        return word.into();
    }
    let mut quoted = String::from("'");
    let mut rest = word;
    while !rest.is_empty() {
        let zeros = rest.len() - rest.trim_start_matches('0').len();
        if zeros >= ZEROS {
            let _ = write!(quoted, "'$(printf %0{zeros}d)'");
            rest = &rest[zeros..];
            continue;
        }
        let mut chars = rest.chars();
        match chars.next() {
            Some('\'') => quoted.push_str("'\\''"),
            Some(c) => quoted.push(c),
            None => {}
        }
        // A short run of zeros is copied at once, so that it is not counted again.
        let skipped = zeros.max(1).min(rest.len());
        if zeros > 1 {
            quoted.push_str(&rest[1..zeros]);
            rest = &rest[skipped..];
        } else {
            rest = chars.as_str();
        }
    }
    quoted.push('\'');
    quoted
}

/// Returns a printf command that writes bytes, and then a suffix in its notation.
fn printf(bytes: &[u8], suffix: &str) -> String {
    let mut format = String::new();
    let mut index = 0;
    while let Some(byte) = bytes.get(index) {
        let zeros = bytes[index..]
            .iter()
            .take_while(|byte| **byte == b'0')
            .count();
        if zeros >= ZEROS {
            let _ = write!(format, "%0{zeros}d");
            index += zeros;
            continue;
        }
        match byte {
            b'%' => format.push_str("%%"),
            b'\\' => format.push_str("\\\\"),
            b'\'' => format.push_str("\\047"),
            b' '..=b'~' => format.push(char::from(*byte)),
            byte => {
                let _ = write!(format, "\\{byte:03o}");
            }
        }
        index += 1;
    }
    format!("printf '{format}{suffix}'")
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn shell(command: &str) -> Vec<u8> {
        let output = Command::new("/bin/sh").args(["-c", command]).output();
        output.expect("a shell").stdout
    }

    const TEXTS: [&str; 6] = [
        "plain",
        "",
        "it's $HOME `x` \"y\" \\n %s \u{1b}",
        "000",
        "a00000000000000000000000000000000000000000000000000b'0000",
        "é\u{1d11e}\n",
    ];

    #[test]
    fn the_shell_sees_the_same_word() {
        for text in TEXTS {
            let command = format!("printf %s. {}", quoted(text));
            let shown = String::from_utf8(shell(&command)).expect("UTF-8");
            assert_eq!(shown, format!("{text}."), "{command}");
        }
    }

    #[test]
    fn printf_writes_the_same_bytes() {
        for text in TEXTS {
            let command = printf(text.as_bytes(), "\\0");
            let expected = [text.as_bytes(), b"\0"].concat();
            assert_eq!(shell(&command), expected, "{command}");
        }
        assert_eq!(shell(&printf(b"\xff\x80%5", "")), b"\xff\x80%5");
    }
}
