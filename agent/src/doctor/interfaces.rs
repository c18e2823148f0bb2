//! The interfaces on which a load balancer's packets may arrive: those that have a route to elsewhere.

use std::fs;

use mirrorscope_core::doctor::Interface;

use crate::sys::interface::Interface as Device;

/// Looks at the interfaces `names`, or where there are none, at all that have an IPv4 route.
pub(super) fn look(names: &[String]) -> Vec<Interface> {
    let found = match names {
        [] => routed(&fs::read_to_string("/proc/net/route").unwrap_or_default()),
        names => names.to_vec(),
    };
    found.iter().filter_map(|name| one(name)).collect()
}

fn one(name: &str) -> Option<Interface> {
    let device = Device::new(name).ok()?;
    Some(Interface {
        name: name.to_owned(),
        mtu: device.mtu().ok()?,
        gro_list: device.feature("rx-gro-list"),
        udp_gro_forwarding: device.feature("rx-udp-gro-forwarding"),
        queues: device.queues(),
        ring: device.ring(),
        hashes_udp_ports: device.hashes_udp_ports(),
    })
}

/// Interfaces in the order of the routing table, each once. Bridges of containers and the like have routes to
/// their own network; where there is a default route, its interface is the one that matters.
fn routed(table: &str) -> Vec<String> {
    let columns = |line: &str| {
        let mut words = line.split_whitespace();
        Some((words.next()?.to_owned(), words.next()? == "00000000"))
    };
    let routes: Vec<_> = table.lines().skip(1).filter_map(columns).collect();
    let has_default = routes.iter().any(|(_, is_default)| *is_default);
    let mut names: Vec<String> = Vec::new();
    for (name, is_default) in routes {
        if (is_default || !has_default) && !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interface_of_the_default_route_is_looked_at() {
        let title = "Iface\tDestination\tGateway\n";
        let own = "docker0\t000011AC\t00000000\nens5\t0000000A\t00000000\n";
        assert_eq!(routed(&format!("{title}{own}")), ["docker0", "ens5"]);
        assert_eq!(routed(&format!("{title}{own}ens5\t00000000\t0100000A\n")), ["ens5"]);
    }
}
