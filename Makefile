# SPDX-License-Identifier: Apache-2.0 OR MIT
# Forwards to CMake; `make` leaves the program at build/lunatic.
BUILD  ?= build
PREFIX ?= /usr/local

.PHONY: all test format install uninstall dist clean

all: $(BUILD)/CMakeCache.txt
	cmake --build $(BUILD) --parallel $$(nproc)

$(BUILD)/CMakeCache.txt:
	cmake -S . -B $(BUILD) -DCMAKE_BUILD_TYPE=Release $$(command -v ninja > /dev/null && echo -GNinja)

test: all
	ctest --test-dir $(BUILD) --output-on-failure --parallel $$(nproc)

format:
	git ls-files '*.c' '*.h' | xargs clang-format-19 -i

install: all
	cmake $(BUILD) -DCMAKE_INSTALL_PREFIX="$(PREFIX)" > /dev/null # for lunatic.pc
	DESTDIR="$(DESTDIR)" cmake --install $(BUILD) --prefix "$(PREFIX)"

# One static program for any Linux on x86-64, packed with its licences: build-dist/*.tar.gz
dist:
	script/dist

# Removes the files that the last install wrote (build/install_manifest.txt lists them).
uninstall:
	@test -e $(BUILD)/install_manifest.txt || { echo "nothing was installed from $(BUILD)/"; exit 1; }
	@xargs -d '\n' -a $(BUILD)/install_manifest.txt -I{} rm -f "$(DESTDIR){}"
	@find "$(DESTDIR)$(PREFIX)/share/lunatic" "$(DESTDIR)$(PREFIX)/include/lunatic" -depth -type d -empty -delete 2> /dev/null || true

clean:
	rm -rf $(BUILD)
