/* SPDX-License-Identifier: BSD-2-Clause */

#ifndef __LIBSEL4_SEL4_PLAT_API_CONSTANTS_H_
#define __LIBSEL4_SEL4_PLAT_API_CONSTANTS_H_

#ifdef HAVE_AUTOCONF
#include <autoconf.h>
#endif

#endif /* __LIBSEL4_SEL4_PLAT_API_CONSTANTS_H_ */
