//! Which clients are of one machine.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The address by which the clients of one machine are counted together: one machine has many addresses, all of 127.0.0.0/8
/// and the 64 last bits of an IPv6 address among them.
pub(crate) fn machine(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        address if address.is_loopback() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(address) => {
            let network = u128::from(address) >> 64 << 64;
            Ipv6Addr::from(network).into()
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_many_addresses_of_one_machine_are_one() {
        let same = |addresses: &[&str]| {
            let parse = |address: &&str| machine(address.parse().unwrap());
            let addresses: Vec<IpAddr> = addresses.iter().map(parse).collect();
            addresses.windows(2).all(|pair| pair[0] == pair[1])
        };
        let loopback = ["127.0.0.1", "127.0.1.1", "127.255.255.254", "::1"];
        assert!(same(&loopback) && same(&["127.0.0.1", "::ffff:127.3.2.1"]));
        assert!(same(&["2001:db8::1", "2001:db8::ffff:1:2:3"]));
        assert!(same(&["10.0.0.1", "::ffff:10.0.0.1"]));
        assert!(!same(&["10.0.0.1", "10.0.0.2"]) && !same(&["2001:db8::1", "2001:db8:0:1::1"]));
        assert!(!same(&["127.0.0.1", "128.0.0.1"]));
    }
}
