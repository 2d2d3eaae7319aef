-- SPDX-License-Identifier: GPL-2.0-only

base 64

