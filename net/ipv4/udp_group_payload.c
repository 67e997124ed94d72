// SPDX-License-Identifier: GPL-2.0-only
/*
 * Group unicast for UDP: the data of a send, copied from user space once.
 *
 * What fits into a small head beside the headers is copied into each datagram.
 * Copying more than that costs more than it does to share pages. The members'
 * datagrams have these in common: whoever changes data in place, as ESP does,
 * must know, which is what SKBFL_SHARED_FRAG says.
 */

#include <linux/skbuff.h>
#include <linux/uio.h>
#include <net/checksum.h>
#include <net/sock.h>
#include "udp_group_payload.h"

int udp_group_payload_copy_pages(struct udp_group_payload *p, struct sock *sk,
				 struct iov_iter *from)
{
	struct page_frag *pfrag = sk_page_frag(sk);
	size_t left = p->len;

	while (left) {
		struct page *page;
		unsigned int off;
		size_t n;

		if (!skb_page_frag_refill(32, pfrag, sk->sk_allocation) ||
		    p->nr_frags == MAX_SKB_FRAGS)
			return -ENOBUFS;

		/* Taken before the copy, which may sleep and then meet another
		 * user of the task's page.
		 */
		page = pfrag->page;
		off = pfrag->offset;
		n = min_t(size_t, left, pfrag->size - off);
		pfrag->offset += n;
		get_page(page);
		skb_frag_fill_page_desc(&p->frags[p->nr_frags++], page, off, n);

		if (copy_page_from_iter(page, off, n, from) != n)
			return -EFAULT;
		left -= n;
	}
	return 0;
}

void udp_group_payload_free(struct udp_group_payload *p)
{
	unsigned int i;

	for (i = 0; i < p->nr_frags; i++)
		put_page(skb_frag_page(&p->frags[i]));
}

/* The sum of the data, for devices that do not make it: once for all. */
__wsum udp_group_payload_csum(struct udp_group_payload *p)
{
	unsigned int i, off = 0;

	if (p->is_summed)
		return p->csum;

	if (!p->nr_frags)
		p->csum = csum_partial(p->data, p->len, 0);
	else
		p->csum = 0;
	for (i = 0; i < p->nr_frags; i++) {
		unsigned int n = skb_frag_size(&p->frags[i]);
		__wsum sum;

		sum = csum_partial(skb_frag_address(&p->frags[i]), n, 0);
		p->csum = csum_block_add(p->csum, sum, off);
		off += n;
	}
	p->is_summed = true;
	return p->csum;
}

/* References for @n datagrams that udp_group_payload_share() will make. */
void udp_group_payload_hold(struct udp_group_payload *p, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < p->nr_frags; i++)
		page_ref_add(skb_frag_page(&p->frags[i]), n);
}

void udp_group_payload_unhold(struct udp_group_payload *p, unsigned int n)
{
	unsigned int i;

	/* The payload has a reference itself, so this one is not the last */
	for (i = 0; i < p->nr_frags; i++)
		page_ref_sub(skb_frag_page(&p->frags[i]), n);
}

/* Give a datagram its share of the pages. It is charged with all of them. */
void udp_group_payload_share(const struct udp_group_payload *p,
			     struct sk_buff *skb)
{
	struct skb_shared_info *shinfo = skb_shinfo(skb);

	memcpy(shinfo->frags, p->frags, p->nr_frags * sizeof(p->frags[0]));
	shinfo->nr_frags = p->nr_frags;
	shinfo->flags |= SKBFL_SHARED_FRAG;
	skb->len += p->len;
	skb->data_len = p->len;
	skb->truesize += p->len;
}
