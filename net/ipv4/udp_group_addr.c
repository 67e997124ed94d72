// SPDX-License-Identifier: GPL-2.0-only
/*
 * Group unicast for UDP: addresses as the user gives them.
 */

#include <linux/ipv6.h>
#include <net/ipv6.h>
#include "udp_group_impl.h"

/* What IPv4 has no room for is 0. */
void udp_group_key_init4(struct udp_group_key *key, __be32 addr, __be16 port)
{
	ipv6_addr_set_v4mapped(addr, &key->addr);
	key->scope = 0;
	key->port = (__force u16)port;
}

void udp_group_key_init6(struct udp_group_key *key, const struct in6_addr *addr,
			 __be16 port, u32 scope)
{
	key->addr = *addr;
	key->scope = __ipv6_addr_needs_scope_id(__ipv6_addr_type(addr)) ?
		     scope : 0;
	key->port = (__force u16)port;
}

/* What makes two addresses the same: an IPv4 address is its mapped one. */
void udp_group_key_init(struct udp_group_key *key,
			const union udp_group_addr *addr)
{
	if (addr->family == AF_INET)
		udp_group_key_init4(key, addr->in.sin_addr.s_addr,
				    addr->in.sin_port);
	else
		udp_group_key_init6(key, &addr->in6.sin6_addr,
				    addr->in6.sin6_port,
				    addr->in6.sin6_scope_id);
}

/* The length of the first of packed addresses, as its family says. */
static int udp_group_addr_size(const void *from, unsigned int left,
			       sa_family_t family)
{
	sa_family_t given;

	/* No address is shorter */
	if (left < sizeof(struct sockaddr_in))
		return -EINVAL;
	memcpy(&given, from, sizeof(given));
	if (given == AF_INET)
		return sizeof(struct sockaddr_in);
	if (given != AF_INET6 || family != AF_INET6)
		return -EAFNOSUPPORT;
	return left < sizeof(struct sockaddr_in6) ? -EINVAL :
						    sizeof(struct sockaddr_in6);
}

/**
 * udp_group_addr_parse - take the next of packed addresses
 * @addr: where it goes
 * @from: the rest of them, in kernel memory, unaligned
 * @left: length of the rest, not 0
 * @family: family of the socket
 *
 * Return: the length of the address, or
 * -EINVAL: it is cut short, or has port 0,
 * -EAFNOSUPPORT: the socket does not send to addresses of its family.
 */
int udp_group_addr_parse(union udp_group_addr *addr, const void *from,
			 unsigned int left, sa_family_t family)
{
	int len = udp_group_addr_size(from, left, family);

	if (len < 0)
		return len;
	memset(addr, 0, sizeof(*addr));
	memcpy(addr, from, len);
	if (addr->family == AF_INET)
		memset(addr->in.__pad, 0, sizeof(addr->in.__pad));

	/* Both families have the port at the same place */
	BUILD_BUG_ON(offsetof(struct sockaddr_in, sin_port) !=
		     offsetof(struct sockaddr_in6, sin6_port));
	return addr->in.sin_port ? len : -EINVAL;
}

/* How many addresses there are, or what is wrong with how they are packed. */
int udp_group_addr_count(const void *addrs, unsigned int len,
			 sa_family_t family)
{
	const void *end = addrs + len;
	int n;

	for (n = 0; addrs < end; n++) {
		int size = udp_group_addr_size(addrs, end - addrs, family);

		if (size < 0)
			return size;
		addrs += size;
	}
	return n;
}
