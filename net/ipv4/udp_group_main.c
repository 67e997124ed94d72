// SPDX-License-Identifier: GPL-2.0-only
/*
 * Group unicast for UDP: the module, and how the hooks reach it.
 */

#include <linux/module.h>
#include "udp_group_impl.h"

#define CREATE_TRACE_POINTS
#include <trace/events/udp_group.h>

static int udp_group_ops_setsockopt(struct sock *sk, int optname,
				    sockptr_t optval, unsigned int optlen)
{
	switch (optname) {
	case SO_SETGRP:
		return udp_group_set_members(sk, optval, optlen);
	case SO_ADDGRP:
	case SO_DELGRP:
		return udp_group_change_members(sk, optname, optval, optlen);
	case SO_GRPFLAGS:
		return udp_group_set_flags(sk, optval, optlen);
	default:
		return -ENOPROTOOPT;
	}
}

static int udp_group_ops_getsockopt(struct sock *sk, int optname,
				    sockptr_t optval, sockptr_t optlen)
{
	switch (optname) {
	case SO_SETGRP:
		return udp_group_get_members(sk, optval, optlen);
	case SO_GRPSTAT:
		return udp_group_get_stat(sk, optval, optlen);
	case SO_GRPFLAGS:
		return udp_group_get_flags(sk, optval, optlen);
	default:
		return -ENOPROTOOPT;
	}
}

const struct udp_group_ops udp_group_ops = {
	.owner		= THIS_MODULE,
	.setsockopt	= udp_group_ops_setsockopt,
	.getsockopt	= udp_group_ops_getsockopt,
	.sendmsg	= udp_group_sendmsg,
	.icmp_error	= udp_group_icmp,
	.free		= udp_group_free,
};

static int __init udp_group_init(void)
{
	int err;

	err = udp_group_version_init();
	if (err)
		return err;
	err = udp_group_register(&udp_group_ops);
	if (err)
		udp_group_version_exit();
	return err;
}

static void __exit udp_group_exit(void)
{
	udp_group_unregister(&udp_group_ops);
	udp_group_fast_exit();
	/* Versions and paths that wait for a grace period */
	rcu_barrier();
	udp_group_version_exit();
}

module_init(udp_group_init);
module_exit(udp_group_exit);

MODULE_DESCRIPTION("Group unicast for UDP");
MODULE_LICENSE("GPL");
MODULE_ALIAS("net-udp-group");
