//! Azure's refusal of a port allocation (R6.31).

use std::fmt;

use super::capacity::{fits, required_ports, total_ports};

/// The error code that AKS answers with.
pub(crate) const CODE: &str = "InvalidLoadBalancerProfileAllocatedOutboundPorts";

/// The numbers of one refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rejection {
    /// Nodes that AKS counts: the autoscaler's maximum and the surge of every pool.
    pub(crate) nodes: u64,
    /// Ports that they need.
    pub(crate) required: u64,
    /// Ports that the addresses have.
    pub(crate) available: u64,
    /// Outbound addresses.
    pub(crate) ips: u64,
}

impl Rejection {
    /// What AKS would say to explicit `ports` for `nodes` on `ips`; `None` when it accepts them. Zero ports means
    /// automatic allocation, which is always accepted.
    pub(crate) fn of(nodes: u64, ports: u32, ips: u64) -> Option<Self> {
        (ports > 0 && !fits(nodes, ports, ips)).then(|| Self {
            nodes,
            required: required_ports(nodes, ports),
            available: total_ports(ips),
            ips,
        })
    }

    /// Finds the numbers in a message of Azure's.
    pub(crate) fn parse(message: &str) -> Option<Self> {
        let after = |text: &'_ str, words: &str| -> Option<(u64, usize)> {
            let start = text.find(words)? + words.len();
            let digits: String = text
                .get(start..)?
                .chars()
                .take_while(char::is_ascii_digit)
                .collect();
            Some((digits.parse().ok()?, start + digits.len()))
        };
        let mut rest = message;
        let mut numbers = [0; 4];
        let words = [
            "Total node count ",
            " requires ",
            " ports but only ",
            " ports are available given ",
        ];
        for (number, words) in numbers.iter_mut().zip(words) {
            let (found, end) = after(rest, words)?;
            *number = found;
            rest = rest.get(end..)?;
        }
        let [nodes, required, available, ips] = numbers;
        rest.starts_with(" outbound public IPs").then_some(Self {
            nodes,
            required,
            available,
            ips,
        })
    }
}

/// In Azure's own words.
impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Total node count {} requires {} ports but only {} ports are available given {} outbound public IPs",
            self.nodes, self.required, self.available, self.ips
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r6_31_azures_own_message() {
        let rejection = Rejection::of(9, 8000, 1).unwrap();
        let message = "Total node count 9 requires 72000 ports but only 64000 ports are available given 1 outbound public IPs";
        assert_eq!(rejection.to_string(), message);
        let whole = format!(
            "Load balancer profile allocated ports 8000 is not in an allowable range given the number of nodes and IPs provisioned. {message}. Refer to https://aka.ms for more details."
        );
        assert_eq!(Rejection::parse(&whole), Some(rejection));
    }

    #[test]
    fn r6_31_what_fits_exactly_is_accepted() {
        assert_eq!(Rejection::of(62, 1024, 1), None);
        assert!(Rejection::of(63, 1024, 1).is_some());
        assert_eq!(Rejection::of(64, 1000, 1), None);
        assert_eq!(Rejection::of(5000, 0, 1), None);
    }

    #[test]
    fn r6_30_rejections_seen_in_the_wild() {
        // 3 nodes and one surge on 2 addresses; 15 nodes and one surge on one.
        let wild = Rejection::of(4, 42_664, 2).unwrap();
        assert_eq!((wild.required, wild.available), (170_656, 128_000));
        assert!(Rejection::of(16, 7104, 1).is_some());
    }

    #[test]
    fn other_messages_have_no_numbers() {
        for text in [
            "",
            "Total node count 9",
            "Total node count x requires 1 ports but only 2 ports are available given 3 outbound public IPs",
            "Total node count 99999999999999999999999 requires 1 ports but only 2 ports are available given 3 outbound public IPs",
            "allocated ports 1001 is not a multiple of 8",
        ] {
            assert_eq!(Rejection::parse(text), None, "{text}");
        }
    }
}
