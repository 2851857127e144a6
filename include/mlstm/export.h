/* SPDX-License-Identifier: MIT */
#ifndef MLSTM_EXPORT_H
#define MLSTM_EXPORT_H

/**
 * @file export.h
 * @brief Marks what the shared library exports; nothing to call.
 */

#if defined(MLSTM_STATIC) || !defined(__GNUC__)
#define MLSTM_API
#else
#define MLSTM_API __attribute__((visibility("default")))
#endif

#endif
