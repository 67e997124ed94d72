# SPDX-License-Identifier: GPL-2.0-only
# groupcast: kernel-level group unicast for UDP. `make help` says what there is.

KVER ?= 6.12
CONFIG ?= demo
export KVER CONFIG

help:
	@echo 'make demo            build the kernel, boot it, stream a file to 64 receivers'
	@echo '                     (FILE=PATH: another file)'
	@echo 'make test            all tests: KUnit, selftests, library; in QEMU on a debug kernel'
	@echo 'make test-long       races and faults for long; SECONDS= on each kernel, TIMES='
	@echo 'make test-upstream   the selftests of Linux itself, with and without the patches'
	@echo 'make check           what reviewers run, on every patch; check-fast is a part of it'
	@echo 'make conformance     groups against sendto(), packet by packet (FILTER=...)'
	@echo 'make fuzz            fuzzes the interface in the guest, then the library (DURATION=seconds)'
	@echo 'make coverage        what make test found about line coverage'
	@echo 'make bench-quick     instructions a member, for each way of sending; the aims'
	@echo 'make bench           all experiments, and a report with plots; minutes'
	@echo 'make bench-profile   where instructions go, locked ones, modelled cache misses'
	@echo 'make bench-um        time a member at native speed (User-Mode Linux)'
	@echo 'make bench-capacity  checks what `groupcast capacity` predicts'
	@echo 'make bench-interface IPv6 beside IPv4, joining and leaving, memory of a member'
	@echo 'make bench-iperf     iperf3 with and without the patches'
	@echo 'make shell           boot to a prompt with the programs on board'
	@echo 'make kernel          build (CONFIG=demo|debug|bench|um); prints the path of the image'
	@echo 'make patch           write the series for git am to build/patches/$(KVER)/'
	@echo 'make apply TREE=DIR  apply the series to a kernel tree of yours'
	@echo 'make module KDIR=DIR build udp_group.ko for a kernel that has the hooks'
	@echo 'make lib             build libgroupcast; make install [DESTDIR=] [PREFIX=/usr/local]'
	@echo 'make clean           remove build/; the cache is in ~/.cache/groupcast'

demo:
	@tests/demo/run.sh

test:
	@tests/run.sh

test-long:
	@tests/torture/run.sh '$(or $(SECONDS),1800)' '$(or $(TIMES),1000)' '$(or $(SEED),1)'

test-upstream:
	@tests/upstream/run.sh

check:
	@kernel/scripts/check.sh all

check-fast:
	@kernel/scripts/check.sh fast

conformance:
	@tests/conformance/run.sh '$(FILTER)'

fuzz:
	@tests/fuzz/run.sh '$(DURATION)'

coverage:
	@tests/coverage/run.sh

bench-quick:
	@tests/bench/run.sh

bench:
	@tests/bench/all.sh

bench-profile:
	@tests/bench/profile/run.sh

bench-um:
	@tests/bench/um/run.sh

bench-capacity:
	@tests/bench/capacity-check.sh

bench-interface:
	@tests/bench/interface.sh

bench-iperf:
	@tests/bench/iperf/run.sh

shell:
	@tests/qemu/shell.sh

kernel:
	@kernel/scripts/build.sh $(CONFIG)

patch:
	@kernel/scripts/series.sh build/patches/$(KVER)

apply:
	@kernel/scripts/apply.sh '$(TREE)'

module:
	@kernel/scripts/module.sh '$(KDIR)'

lib:
	@$(MAKE) -C userspace OUT=$(CURDIR)/build/userspace

install: lib
	@$(MAKE) -C userspace OUT=$(CURDIR)/build/userspace install

clean:
	rm -rf build

.PHONY: help demo test test-long test-upstream check check-fast conformance fuzz coverage \
	bench-quick bench bench-profile bench-um bench-capacity bench-interface bench-iperf \
	shell kernel patch apply module lib install clean
