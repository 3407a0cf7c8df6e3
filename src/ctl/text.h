// SPDX-License-Identifier: MIT
/*
 * The interface descriptions in this folder as strings. text.c is made from them when
 * building.
 */
#ifndef QMPIN_CTL_TEXT_H
#define QMPIN_CTL_TEXT_H

extern const char text_io_qmpin[];
extern const char text_org_varlink_service[];

#endif
