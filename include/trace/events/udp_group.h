/* SPDX-License-Identifier: GPL-2.0-only */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM udp_group

#if !defined(_TRACE_UDP_GROUP_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_UDP_GROUP_H

#include <linux/tracepoint.h>
#include <net/sock.h>

/* What a call took is the time from its begin to its end event, which have
 * the same socket and come from the same task. Of the datagrams, "fast" took
 * the fast path, whatever became of them.
 */
TRACE_EVENT(udp_group_send_begin,
	    TP_PROTO(const struct sock *sk, u64 generation, u32 members,
		     size_t len),
	    TP_ARGS(sk, generation, members, len),

	    TP_STRUCT__entry(__field(const void *, skaddr)
			     __field(u64, generation)
			     __field(u32, members)
			     __field(u32, len)
	    ),

	    TP_fast_assign(__entry->skaddr = sk;
			   __entry->generation = generation;
			   __entry->members = members;
			   __entry->len = len;
	    ),

	    TP_printk("skaddr=%p generation=%llu members=%u len=%u",
		      __entry->skaddr, __entry->generation, __entry->members,
		      __entry->len)
);

TRACE_EVENT(udp_group_send_end,
	    TP_PROTO(const struct sock *sk, u64 generation, u32 passed,
		     u32 fast, u64 sent, u64 failed, u64 unreached, int err),
	    TP_ARGS(sk, generation, passed, fast, sent, failed, unreached,
		    err),

	    TP_STRUCT__entry(__field(const void *, skaddr)
			     __field(u64, generation)
			     __field(u32, passed)
			     __field(u32, fast)
			     __field(u32, sent)
			     __field(u32, failed)
			     __field(u32, unreached)
			     __field(int, err)
	    ),

	    TP_fast_assign(__entry->skaddr = sk;
			   __entry->generation = generation;
			   __entry->passed = passed;
			   __entry->fast = fast;
			   __entry->sent = sent;
			   __entry->failed = failed;
			   __entry->unreached = unreached;
			   __entry->err = err;
	    ),

	    TP_printk("skaddr=%p generation=%llu passed=%u fast=%u sent=%u failed=%u unreached=%u err=%d",
		      __entry->skaddr, __entry->generation, __entry->passed,
		      __entry->fast, __entry->sent, __entry->failed,
		      __entry->unreached, __entry->err)
);

#endif /* _TRACE_UDP_GROUP_H */

#include <trace/define_trace.h>
