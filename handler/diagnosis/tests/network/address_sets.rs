use std::net::Ipv4Addr;

use egress_diagnosis::network::*;
use proptest::prelude::*;

use super::build::{ip, set};

#[test]
fn r4_8_terms() {
    assert_eq!(AddressTerm::parse("*"), Ok(AddressTerm::Any));
    assert_eq!(AddressTerm::parse(" Any "), Ok(AddressTerm::Any));
    assert_eq!(
        AddressTerm::parse("0.0.0.0/0"),
        Ok(AddressTerm::Set(AddressSet::all_of(Family::V4)))
    );
    assert_eq!(
        AddressTerm::parse("10.0.0.7/24"),
        Ok(AddressTerm::Set(set(&["10.0.0.0-10.0.0.255"])))
    );
    assert_eq!(
        AddressTerm::parse("AzureCloud.westeurope"),
        Ok(AddressTerm::Name("AzureCloud.westeurope".to_owned()))
    );
    assert!(matches!(
        AddressTerm::parse("fe80::1"),
        Ok(AddressTerm::Set(_))
    ));
    for bad in [
        "",
        " ",
        "10.0.0.0/33",
        "10.0.0/24",
        "300.1.1.1",
        "10.0.0.9-10.0.0.1",
        "10.0.0.1-fe80::1",
        "2001:db8::/129",
        "10.0.0.0/+8",
        "10.0.0.0/",
        "/8",
        "1.2.3.4,5.6.7.8",
        "Storage West",
        "-",
        "ä",
    ] {
        assert_eq!(
            AddressTerm::parse(bad),
            Err(InvalidAddress(bad.to_owned())),
            "{bad}"
        );
    }
}

#[test]
fn r4_8_families_never_meet() {
    let all4 = set(&["0.0.0.0/0"]);
    assert!(!all4.contains(ip("2001:db8::1")));
    assert!(!all4.intersects(&set(&["::/0"])));
    assert!(AddressSet::all().contains_all(&set(&["0.0.0.0/0", "::/0"])));
}

#[test]
fn r4_9_ports() {
    assert_eq!(PortSet::parse("*"), Ok(PortSet::all()));
    assert_eq!(PortSet::parse("0-65535"), Ok(PortSet::all()));
    assert_eq!(PortSet::parse("443"), Ok(PortSet::one(443)));
    assert_eq!(PortSet::parse(" 80 - 90 "), Ok(PortSet::from(80..=90)));
    for bad in [
        "", "http", "65536", "90-80", "-1", "1-", "+80", "80,443", "1-2-3",
    ] {
        assert_eq!(
            PortSet::parse(bad),
            Err(InvalidPort(bad.to_owned())),
            "{bad}"
        );
    }
}

#[test]
fn public_space_has_no_private_address() {
    let public = AddressSet::public();
    for inside in [
        "8.8.8.8",
        "20.1.2.3",
        "168.63.129.16",
        "100.128.0.0",
        "172.32.0.1",
        "2603::1",
    ] {
        assert!(public.contains(ip(inside)), "{inside}");
    }
    for outside in [
        "10.1.1.1",
        "172.31.0.1",
        "192.168.9.9",
        "100.64.0.1",
        "127.0.0.1",
        "169.254.169.254",
        "224.0.0.1",
        "fd00::1",
    ] {
        assert!(!public.contains(ip(outside)), "{outside}");
    }
}

/// Ranges in a space so small that a bit mask is the oracle.
fn spans() -> impl Strategy<Value = Vec<(u8, u8)>> {
    proptest::collection::vec((0u8..128, 0u8..16), 0..6)
}

fn engine(spans: &[(u8, u8)], v6: bool) -> AddressSet {
    let texts: Vec<String> = spans
        .iter()
        .map(|(low, length)| {
            let high = low.saturating_add(*length).min(127);
            if v6 {
                format!("2001:db8::{low:x}-2001:db8::{high:x}")
            } else {
                format!("10.0.0.{low}-10.0.0.{high}")
            }
        })
        .collect();
    AddressSet::parse_all(texts.iter().map(String::as_str)).unwrap()
}

fn mask(spans: &[(u8, u8)]) -> u128 {
    spans.iter().fold(0, |mask, (low, length)| {
        (*low..=low.saturating_add(*length).min(127)).fold(mask, |mask, bit| mask | 1 << bit)
    })
}

fn read(set: &AddressSet, v6: bool) -> u128 {
    (0u16..128).fold(0, |mask, bit| {
        let address = if v6 {
            std::net::Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, bit).into()
        } else {
            Ipv4Addr::new(10, 0, 0, bit as u8).into()
        };
        if set.contains(address) {
            mask | 1 << bit
        } else {
            mask
        }
    })
}

proptest! {
    #[test]
    fn set_algebra_agrees_with_bits(a in spans(), b in spans(), v6 in any::<bool>()) {
        let (x, y) = (engine(&a, v6), engine(&b, v6));
        let (p, q) = (mask(&a), mask(&b));
        prop_assert_eq!(read(&x, v6), p);
        prop_assert_eq!(read(&x.union(&y), v6), p | q);
        prop_assert_eq!(read(&x.intersection(&y), v6), p & q);
        prop_assert_eq!(read(&x.difference(&y), v6), p & !q);
        prop_assert_eq!(x.intersects(&y), p & q != 0);
        prop_assert_eq!(x.contains_all(&y), q & !p == 0);
        prop_assert_eq!(x.is_empty(), p == 0);
        let mut grown = x.clone();
        grown.insert_all(&y);
        prop_assert_eq!(&grown, &x.union(&y));
        let again: AddressSet = x.prefixes().collect();
        prop_assert_eq!(&again, &x);
    }

    #[test]
    fn port_algebra_agrees_with_bits(a in spans(), b in spans()) {
        let ports = |spans: &[(u8, u8)]| spans.iter().fold(PortSet::empty(), |set, (low, length)| {
            let high = low.saturating_add(*length).min(127);
            set.union(&PortSet::parse(&format!("{low}-{high}")).unwrap())
        });
        let read = |set: &PortSet| (0u16..128).fold(0u128, |m, p| if set.contains(p) { m | 1 << p } else { m });
        let (x, y, p, q) = (ports(&a), ports(&b), mask(&a), mask(&b));
        prop_assert_eq!(read(&x.union(&y)), p | q);
        prop_assert_eq!(read(&x.intersection(&y)), p & q);
        prop_assert_eq!(read(&x.difference(&y)), p & !q);
        prop_assert_eq!(x.intersects(&y), p & q != 0);
        prop_assert_eq!(x.contains_all(&y), q & !p == 0);
    }

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,40}") {
        let _ = AddressTerm::parse(&text);
        let _ = PortSet::parse(&text);
    }
}
