/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * libgroupcast: group unicast for UDP. A socket gets a group of destinations,
 * and one send transmits a datagram to every member.
 *
 * Every function that can fail returns a negative errno, and leaves errno
 * itself undefined. groupcast(7) is the overview.
 */
#ifndef GROUPCAST_GROUPCAST_H
#define GROUPCAST_GROUPCAST_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#include <linux/udp_group.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

#define GROUPCAST_VERSION_MAJOR 0
#define GROUPCAST_VERSION_MINOR 1
#define GROUPCAST_VERSION_PATCH 0

/* A socket with its group. (Not "struct groupcast", which would keep a C++
 * program from having a namespace of that name.)
 */
struct groupcast_group;

enum groupcast_backend {
    GROUPCAST_AUTO = 0,     /* the kernel's groups if it has them, else sendmmsg(2) */
    GROUPCAST_KERNEL = 1,   /* SO_SETGRP: see udp_group(7) */
    GROUPCAST_SENDMMSG = 2, /* a loop in the library, on any kernel */
};

/* The fd is a UDP socket, AF_INET or AF_INET6. It stays the caller's, who closes
 * it after groupcast_free().
 */
int groupcast_new(struct groupcast_group **out, int fd, enum groupcast_backend backend);

/* Dissolves the group. NULL is fine. */
void groupcast_free(struct groupcast_group *group);

/* The one in use, never GROUPCAST_AUTO. */
enum groupcast_backend groupcast_backend_of(const struct groupcast_group *group);
const char *groupcast_backend_name(enum groupcast_backend backend);
int groupcast_fd(const struct groupcast_group *group);
const char *groupcast_version(void);

/* Replaces the members by a packed sequence of addresses, struct sockaddr_in and,
 * on an AF_INET6 socket, struct sockaddr_in6; len 0 dissolves the group. Whole or
 * not at all.
 */
int groupcast_set(struct groupcast_group *group, const void *addrs, size_t len);

/* These join, each in the lowest slot that is free, or leave; all or none. */
int groupcast_add(struct groupcast_group *group, const void *addrs, size_t len);
int groupcast_del(struct groupcast_group *group, const void *addrs, size_t len);

/* The members in slot order. *len is the room in bytes, and then what they
 * take: with -ERANGE, what they would.
 */
int groupcast_get(const struct groupcast_group *group, void *addrs, size_t *len);

/* GRP_F_COUNT: sends return how many slots they passed, and those that may not
 * wait pass as many as there is room for.
 */
int groupcast_set_flags(struct groupcast_group *group, uint32_t flags);
int groupcast_flags(const struct groupcast_group *group, uint32_t *flags);

/* To every member. Returns len if it passed at least one of them: what became
 * of each is for groupcast_stat() to say.
 */
ssize_t groupcast_send(struct groupcast_group *group, const void *data, size_t len, int flags);

/* The same with control messages; a msg_name goes to that destination alone. */
ssize_t groupcast_sendmsg(struct groupcast_group *group, const struct msghdr *msg, int flags);

/* What a single send is asked for; what is 0 is not asked for. The control
 * messages UDP_GRP_* do the same.
 */
struct groupcast_send_options {
    size_t size;                /* sizeof(struct groupcast_send_options) */
    struct udp_grp_range range; /* the slots that it is for, if not all */
    const void *skip;           /* packed addresses of those who are left out */
    size_t skip_len;            /* bytes of these */
    const void *prefixes;       /* a part for each slot, sent before the data */
    size_t prefixes_len;        /* bytes of all these together */
    uint32_t prefix_len;        /* bytes of one */
    uint32_t reserved;          /* 0 */
    uint64_t generation;        /* of the group that they were made for */
    uint64_t spread;            /* nanoseconds over which it departs */
};

/* With prefixes it is for as many slots as there are of these. */
ssize_t groupcast_send_with(struct groupcast_group *group, const void *data, size_t len, int flags,
                            const struct groupcast_send_options *options);

/* Fills in the totals and up to max records, and returns how many of those. */
int groupcast_stat(struct groupcast_group *group, struct udp_grpstat *totals,
                   struct udp_grpstat_member *records, size_t max);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif /* GROUPCAST_GROUPCAST_H */
