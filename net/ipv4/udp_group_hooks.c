// SPDX-License-Identifier: GPL-2.0-only
/*
 * Group unicast for UDP: the built-in end, which leads to the engine.
 *
 * The engine is a loadable module with one table of operations. It is held by
 * every socket that has had a group, and asked for by name when a socket uses
 * one of the group's options and it is not there. No privilege is needed for
 * that, as for a protocol family: the name is fixed, and an administrator who
 * does not want groups blacklists the alias or sets the limit to 0.
 */

#include <linux/errqueue.h>
#include <linux/kmod.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/security.h>
#include <linux/sysctl.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include <net/sock.h>
#include <net/udp_group.h>
#include <net/xmit_batch.h>

/* The limit is the system's and not a namespace's: whoever can make a user
 * namespace is root over a network namespace, and could lift a limit there.
 */
unsigned int __read_mostly sysctl_udp_group_max_members = UDP_GROUP_MAX_MEMBERS;
EXPORT_SYMBOL_GPL(sysctl_udp_group_max_members);

static const struct udp_group_ops __rcu *udp_group_engine;

DEFINE_STATIC_KEY_FALSE(udp_group_needed);
EXPORT_SYMBOL_GPL(udp_group_needed);

int udp_group_register(const struct udp_group_ops *ops)
{
	if (unrcu_pointer(cmpxchg(&udp_group_engine, NULL,
				  RCU_INITIALIZER(ops))))
		return -EEXIST;
	return 0;
}
EXPORT_SYMBOL_GPL(udp_group_register);

/* No socket has a group, or its module would not be unloaded. What is waited
 * for are ICMP errors that found one just before it was freed.
 */
void udp_group_unregister(const struct udp_group_ops *ops)
{
	RCU_INIT_POINTER(udp_group_engine, NULL);
	synchronize_rcu();
}
EXPORT_SYMBOL_GPL(udp_group_unregister);

static const struct udp_group_ops *udp_group_engine_tryget(void)
{
	const struct udp_group_ops *ops;

	rcu_read_lock();
	ops = rcu_dereference(udp_group_engine);
	if (ops && !try_module_get(ops->owner))
		ops = NULL;
	rcu_read_unlock();
	return ops;
}

static const struct udp_group_ops *udp_group_engine_get(void)
{
	const struct udp_group_ops *ops = udp_group_engine_tryget();

	if (ops || !IS_ENABLED(CONFIG_MODULES))
		return ops;

	request_module("net-udp-group");
	return udp_group_engine_tryget();
}

/* The engine, held, if the socket can have a group at all. */
static const struct udp_group_ops *udp_group_engine_for(const struct sock *sk)
{
	const struct udp_group_ops *ops;

	if (!sk_is_udp(sk))
		return ERR_PTR(-EOPNOTSUPP);

	ops = udp_group_engine_get();
	return ops ?: ERR_PTR(-ENOPROTOOPT);
}

int udp_group_setsockopt(struct sock *sk, int optname, sockptr_t optval,
			 unsigned int optlen)
{
	const struct udp_group_ops *ops = udp_group_engine_for(sk);
	int err;

	if (IS_ERR(ops))
		return PTR_ERR(ops);

	err = ops->setsockopt(sk, optname, optval, optlen);
	module_put(ops->owner);
	return err;
}

int udp_group_getsockopt(struct sock *sk, int optname, sockptr_t optval,
			 sockptr_t optlen)
{
	const struct udp_group_ops *ops = udp_group_engine_for(sk);
	int err;

	if (IS_ERR(ops))
		return PTR_ERR(ops);

	err = ops->getsockopt(sk, optname, optval, optlen);
	module_put(ops->owner);
	return err;
}

/* An ICMP error is about one datagram of an earlier send. In sk_err it would
 * fail the next send, which has done nothing: it goes to the member's record,
 * and to the error queue if the socket has asked for that.
 */
bool __udp_group_icmp6_error(struct sock *sk, const struct in6_addr *daddr,
			     __be16 port, int ifindex, int err)
{
	struct udp_group *group;

	group = rcu_dereference(udp_sk(sk)->group);
	if (!group || !READ_ONCE(group->members))
		return false;

	group->ops->icmp_error(group, daddr, port, ifindex, err);
	return true;
}
EXPORT_SYMBOL_GPL(__udp_group_icmp6_error);

bool __udp_group_icmp_error(struct sock *sk, struct sk_buff *skb, int err,
			    __be16 port, u32 info, u8 *payload)
{
	const struct iphdr *iph = (const struct iphdr *)skb->data;
	struct in6_addr daddr;

	ipv6_addr_set_v4mapped(iph->daddr, &daddr);
	if (!__udp_group_icmp6_error(sk, &daddr, port, 0, err))
		return false;
	if (inet_test_bit(RECVERR, sk))
		ip_icmp_error(sk, skb, err, port, info, payload);
	return true;
}

/**
 * udp_group_attach - give a socket the group that it keeps for life
 * @sk: the socket, locked, and without a group so far
 * @group: the group, with its ops set
 *
 * The caller is the engine, on behalf of udp_group_setsockopt(): its module is
 * held, and getting another reference, which is the socket's, cannot fail.
 */
void udp_group_attach(struct sock *sk, struct udp_group *group)
{
	__module_get(group->ops->owner);

	/* Pairs with rcu_dereference*() of readers without the socket lock */
	rcu_assign_pointer(udp_sk(sk)->group, group);
	/* On until the kernel stops. Turning it off with the last group would
	 * let any process patch kernel text for as long as it likes.
	 */
	static_branch_enable(&udp_group_needed);
	xmit_batch_enable();
}
EXPORT_SYMBOL_GPL(udp_group_attach);

/**
 * udp_group_security_sendmsg - ask the security modules about one member
 * @sk: the socket
 * @msg: message with the member for its destination
 * @len: length of its data
 *
 * For the engine, which is a module, where it does not go through
 * sock_sendmsg(). May sleep.
 *
 * Return: 0, or the errno of the module that refuses the member.
 */
int udp_group_security_sendmsg(struct sock *sk, struct msghdr *msg, int len)
{
	return security_socket_sendmsg(sk->sk_socket, msg, len);
}
EXPORT_SYMBOL_GPL(udp_group_security_sendmsg);

/* The socket is closed: nobody sends on it or changes its group any more. */
void __udp_group_destroy(struct sock *sk)
{
	struct udp_sock *up = udp_sk(sk);
	struct udp_group *group;
	struct module *owner;

	group = unrcu_pointer(xchg(&up->group, NULL));
	if (!group)
		return;

	owner = group->ops->owner;
	group->ops->free(group);
	module_put(owner);
}
EXPORT_SYMBOL_GPL(__udp_group_destroy);

#ifdef CONFIG_SYSCTL
static unsigned int udp_group_members_ceiling = UDP_GROUP_MAX_MEMBERS;

static struct ctl_table udp_group_sysctls[] = {
	{
		.procname	= "udp_group_max_members",
		.data		= &sysctl_udp_group_max_members,
		.maxlen		= sizeof(sysctl_udp_group_max_members),
		.mode		= 0644,
		.proc_handler	= proc_douintvec_minmax,
		.extra1		= SYSCTL_ZERO,
		.extra2		= &udp_group_members_ceiling,
	},
};

static int __init udp_group_sysctl_init(void)
{
	if (!register_net_sysctl(&init_net, "net/ipv4", udp_group_sysctls))
		return -ENOMEM;
	return 0;
}
late_initcall(udp_group_sysctl_init);
#endif
