//! The ranges of numbers: integers of 64 bits, and finite floats.

/// A number of up to 64 bits, without fraction or exponent.
pub(crate) enum Integer {
    Positive(u64),
    Negative(i64),
}

impl Integer {
    /// Parses the integer at the beginning of a text. Returns it, and the text after it. It is None
    /// if it does not have 64 bits, or is not written as in JSON.
    pub fn parse(text: &[u8]) -> (Option<Self>, &[u8]) {
        let (negative, digits) = split_sign(text);
        let (value, rest) = append_digits(0, digits);
        let count = digits.len().wrapping_sub(rest.len());
        let value = match digits {
            [b'1'..=b'9', ..] if count <= SAFE_DIGITS => Some(value),
            [b'0', ..] if count == 1 => Some(0),
            _ => value_of(digits.get(..count).unwrap_or_default()),
        };
        let integer = value.and_then(|value| {
            if negative {
                0_i64.checked_sub_unsigned(value).map(Integer::Negative)
            } else {
                Some(Integer::Positive(value))
            }
        });
        (integer, rest)
    }
}

/// Splits the minus sign from a number. Returns true if it has one, and the text after it.
fn split_sign(text: &[u8]) -> (bool, &[u8]) {
    match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    }
}

/// Appends the digits at the beginning of a text to those of `value`, which wraps around if there
/// are too many; returns the new value, and the text after the digits.
fn append_digits(value: u64, text: &[u8]) -> (u64, &[u8]) {
    let (mut value, mut rest) = (value, text);
    while let [digit @ b'0'..=b'9', tail @ ..] = rest {
        value = value.wrapping_mul(10).wrapping_add((digit & 0xf).into());
        rest = tail;
    }
    (value, rest)
}

/// Returns the value of many digits; None if it does not have 64 bits, or if they are not written as
/// in JSON.
#[cold]
fn value_of(digits: &[u8]) -> Option<u64> {
    digits.first().filter(|first| **first != b'0')?;
    digits.iter().try_fold(0_u64, |value, digit| {
        value.checked_mul(10)?.checked_add((digit & 0xf).into())
    })
}

/// The number of decimal digits that always fit into 64 bits.
const SAFE_DIGITS: usize = 19;

/// Parses the float at the beginning of a text, if it has a point, at most 15 digits and no exponent.
/// Returns it, and the text after it; None for any other text.
///
/// An `f64` holds the integer of all digits exactly, and the power of ten as well, so their quotient
/// is the nearest `f64`, except on a processor that rounds it twice.
pub(crate) fn parse_short_float(text: &[u8]) -> Option<(f64, &[u8])> {
    if cfg!(all(target_arch = "x86", not(target_feature = "sse2"))) {
        return None;
    }
    let (negative, digits) = split_sign(text);
    let (integer, rest) = append_digits(0, digits);
    let count = digits.len().wrapping_sub(rest.len());
    let is_strict = count == 1 || matches!(digits, [b'1'..=b'9', ..]);
    let [b'.', fraction @ ..] = rest else {
        return None;
    };
    let (value, rest) = append_digits(integer, fraction);
    let places = fraction.len().wrapping_sub(rest.len());
    let is_short = count.wrapping_add(places) <= POWERS.len();
    if !is_strict || !is_short || matches!(rest, [b'e' | b'E', ..]) {
        return None;
    }
    let value = value as f64 / POWERS.get(places.wrapping_sub(1))?;
    Some((if negative { -value } else { value }, rest))
}

/// The powers of ten from 10 to 10^15.
const POWERS: [f64; f64::DIGITS as usize] = [
    1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
];

/// True if `int` accepts an integer, a text without fraction and exponent: it is in the range of
/// `i64` or `u64`. Most are so short that they are.
pub(crate) fn is_in_range(integer: &[u8]) -> bool {
    integer.len() < SAFE_DIGITS || Integer::parse(integer).0.is_some()
}

/// True if a float can hold the number: it is not so large that it is rounded to infinity. This
/// looks at the digits only, so that a service without floats does not contain a parser for them.
pub(crate) fn is_finite(text: &[u8]) -> bool {
    let (mantissa, exponent) = match text.iter().position(|byte| matches!(byte, b'e' | b'E')) {
        Some(e) => {
            let (mantissa, exponent) = text.split_at_checked(e).unwrap_or_default();
            (mantissa, parse_exponent(exponent))
        }
        None => (text, 0),
    };
    // The loop below makes this the power of ten of the first digit that is not 0.
    let mut power = exponent;
    let mut digits = mantissa.iter().filter(|byte| byte.is_ascii_digit());
    let integral = mantissa.iter().take_while(|byte| **byte != b'.');
    let count = integral.filter(|byte| byte.is_ascii_digit()).count();
    power = power.saturating_add_unsigned(count as u64);
    let first = loop {
        power = power.saturating_sub(1);
        match digits.next() {
            None => return true,
            Some(b'0') => {}
            Some(digit) => break digit,
        }
    };
    if power != LIMIT_POWER {
        return power < LIMIT_POWER;
    }
    // Missing digits are 0.
    let digits = [first]
        .into_iter()
        .chain(digits)
        .chain([b'0'; LIMIT.len()].iter());
    digits.take(LIMIT.len()).lt(LIMIT.iter())
}

/// The first 40 digits of the least number that is rounded to infinity, 2^1024 - 2^970. A smaller
/// number with the same 40 digits, which differs by a part in 10^40, is taken for this number.
const LIMIT: &[u8; 40] = b"1797693134862315807937289714053034150799";
/// The power of ten of the first of these digits.
const LIMIT_POWER: i64 = 308;

/// Parses an exponent with the `e` before it. Saturates if it is out of range.
fn parse_exponent(text: &[u8]) -> i64 {
    let mut value = 0_i64;
    for byte in text {
        if let Some(digit) = char::from(*byte).to_digit(10) {
            value = value.saturating_mul(10).saturating_add(digit.into());
        }
    }
    match text {
        [_, b'-', ..] => value.saturating_neg(),
        _ => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;

    #[test]
    fn m7_a_float_is_finite_as_its_digits_say() {
        for text in [
            "0",
            "-0",
            "0.0",
            "0e999999999999999999999",
            "1e308",
            "-1e308",
            "1.7976931348623157e308",
            "1.7976931348623158e308",
            "17976931348623157e292",
            "0.00017976931348623157e312",
            "1.797693134862315807e308",
            "1e-400",
            "1e-99999999999999999999",
            "123.456",
            "0.000e400",
            "1797693134862315700000e287",
        ] {
            assert!(is_finite(text.as_bytes()), "{text}");
            assert!(text.parse::<f64>().unwrap().is_finite(), "{text}");
        }
        for text in [
            "1e309",
            "-1e309",
            "1e400",
            "1.7976931348623159e308",
            "-1.8e308",
            "1e99999999999999999999",
            "0.00018e312",
            "17976931348623159e292",
            "10e308",
            "2e308",
        ] {
            assert!(!is_finite(text.as_bytes()), "{text}");
            assert!(text.parse::<f64>().unwrap().is_infinite(), "{text}");
        }
        let long = format!("{}e0", "9".repeat(400));
        assert!(!is_finite(long.as_bytes()));
        let long = format!("0.{}1e308", "0".repeat(400));
        assert!(is_finite(long.as_bytes()));
        let long = format!("1{}e-100", "0".repeat(408));
        assert!(is_finite(long.as_bytes()));
        let long = format!("1{}e-100", "0".repeat(409));
        assert!(!is_finite(long.as_bytes()));
    }

    #[test]
    fn m7_a_float_is_finite_if_it_parses_as_such() {
        let digits = [
            "0",
            "1",
            "9",
            "17",
            "170",
            "179",
            "180",
            "1797",
            "17976931348623157",
            "17976931348623158",
            "17976931348623159",
            "99999999999999999999",
        ];
        let fractions = [
            "",
            ".0",
            ".00",
            ".05",
            ".7976931348623157",
            ".7976931348623159",
            ".9",
        ];
        for digits in digits {
            for fraction in fractions {
                for exponent in -340..=340 {
                    for letter in ["e", "E", "e+"] {
                        let sign = if exponent % 2 == 0 { "-" } else { "" };
                        if letter == "e+" && exponent < 0 {
                            continue;
                        }
                        let text = format!("{sign}{digits}{fraction}{letter}{exponent}");
                        let expected = text.parse::<f64>().unwrap().is_finite();
                        assert_eq!(is_finite(text.as_bytes()), expected, "{text}");
                    }
                }
            }
        }
    }
}
