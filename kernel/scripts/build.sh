#!/usr/bin/env bash
# Builds the patched kernel and the modules: build.sh demo|debug|bench|um
# A+B is config A with the fragment B on top, bench+plain for instance.
# The last line printed is the path of the bzImage; of um, that of the program.
. "$(dirname "$0")/common.sh"

config=${1:?usage: build.sh demo|debug|bench|um}
configs=$REPO/kernel/configs
obj=$CACHE/build/$KVER-$config

fragments=("$configs/base.config")
image=arch/x86/boot/bzImage goals=(bzImage modules)
case $config in um | um+*)
	# User-Mode Linux is no PC, which base.config is for, and needs no modules.
	export ARCH=um
	fragments=() image=linux goals=(linux)
	;;
esac
IFS=+ read -ra names <<<"$config"
for name in "${names[@]}"; do
	fragments+=("$configs/$name.config")
	[ -f "$configs/$name.config" ] || die "no such config: $name"
done
need_for_kernel
lock_cache
"$REPO/kernel/scripts/tree.sh"

mkdir -p "$obj"
kmake() { make -C "$TREE" O="$obj" CC="ccache gcc" "$@"; }

# A date in the kernel would make every build a new one for ccache.
export KBUILD_BUILD_TIMESTAMP=@0 KBUILD_BUILD_USER=groupcast KBUILD_BUILD_HOST=groupcast

# Later fragments win; what Kconfig then does not grant is an error.
cat "${fragments[@]}" >"$obj/wanted.config.new"
if ! cmp -s "$obj/wanted.config.new" "$obj/wanted.config" ||
	[ "$REPO/Kconfig" -nt "$obj/.config" ]; then
	kmake -s KCONFIG_ALLCONFIG="$obj/wanted.config.new" allnoconfig >"$obj/config.log" 2>&1 ||
		die "configuration failed, see $obj/config.log"
	tac "$obj/wanted.config.new" | grep '^CONFIG_' |
		awk -F= '!seen[$1]++' | while read -r line; do
		case $line in
		*=n) ! grep -q "^${line%=n}=" "$obj/.config" ;;
		*) grep -qxF -- "$line" "$obj/.config" ;;
		esac || die "Kconfig does not grant $line"
	done
	mv "$obj/wanted.config.new" "$obj/wanted.config"
fi

# What records coverage or looks for undefined behaviour does so in this
# project's files, and the latter in those that it patches as well: kbuild takes
# the choice for a file from a variable, and a command line's variable is as good
# as a makefile's.
instrument=()
if grep -qx CONFIG_KCOV=y "$obj/.config"; then
	for f in "$REPO"/net/core/xmit_batch.c "$REPO"/net/ipv4/udp_group_*.c; do
		f=$(basename "$f" .c).o
		case $f in *_kunit.o) continue ;; esac
		instrument+=("KCOV_INSTRUMENT_$f=y" "GCOV_PROFILE_$f=y" "UBSAN_SANITIZE_$f=y")
	done
	while read -r f; do
		instrument+=("UBSAN_SANITIZE_$f=y")
	done < <(sed -n 's,^+++ b/net/.*/\(.*\)\.c$,\1.o,p' "$REPO/kernel/patches/$KVER"/*.diff | sort -u)
	# and nobody else does
	instrument+=(KCOV_INSTRUMENT=n GCOV_PROFILE=n UBSAN_SANITIZE=n)
fi

quiet "$obj/build.log" "building Linux $KVER, config $config, on $JOBS cores" \
	kmake -j"$JOBS" "${instrument[@]}" "${goals[@]}"
[ "$image" = linux ] || quiet "$obj/install.log" "installing its modules and headers" \
	sh -ec 'make -s -C "$1" O="$2" INSTALL_MOD_PATH="$2/root" modules_install
		make -s -C "$1" O="$2" INSTALL_HDR_PATH="$2/usr" headers_install' sh "$TREE" "$obj"

echo "$obj/$image"
