/* SPDX-License-Identifier: MIT */
/*
 * Included before every file of the library. What one file has of another is global in the static
 * library, hidden or not; under these names it cannot meet a program's own `fail` or `release`.
 */
#pragma redefine_extname allocate mlstm__allocate
#pragma redefine_extname arena_take mlstm__arena_take
#pragma redefine_extname default_allocator mlstm__default_allocator
#pragma redefine_extname fail mlstm__fail
#pragma redefine_extname foreign_state mlstm__foreign_state
#pragma redefine_extname kernels_avx2 mlstm__kernels_avx2
#pragma redefine_extname kernels_avx512 mlstm__kernels_avx512
#pragma redefine_extname kernels_get mlstm__kernels_get
#pragma redefine_extname kernels_neon mlstm__kernels_neon
#pragma redefine_extname kernels_portable mlstm__kernels_portable
#pragma redefine_extname layout_create mlstm__layout_create
#pragma redefine_extname layout_find mlstm__layout_find
#pragma redefine_extname layout_outputs mlstm__layout_outputs
#pragma redefine_extname layout_read mlstm__layout_read
#pragma redefine_extname layout_readout mlstm__layout_readout
#pragma redefine_extname layout_release mlstm__layout_release
#pragma redefine_extname layout_retain mlstm__layout_retain
#pragma redefine_extname layout_transpose mlstm__layout_transpose
#pragma redefine_extname layout_write mlstm__layout_write
#pragma redefine_extname param_size mlstm__param_size
#pragma redefine_extname philox4x32_10 mlstm__philox4x32_10
#pragma redefine_extname release mlstm__release
#pragma redefine_extname stack_matrix_changed mlstm__stack_matrix_changed
#pragma redefine_extname stack_need_transposed mlstm__stack_need_transposed
#pragma redefine_extname stack_params_changed mlstm__stack_params_changed
#pragma redefine_extname state_make_room mlstm__state_make_room
#pragma redefine_extname state_run mlstm__state_run
#pragma redefine_extname team_create mlstm__team_create
#pragma redefine_extname team_destroy mlstm__team_destroy
#pragma redefine_extname team_run mlstm__team_run
#pragma redefine_extname uniform_from mlstm__uniform_from
#pragma redefine_extname worker_divide mlstm__worker_divide
#pragma redefine_extname worker_meet mlstm__worker_meet
#pragma redefine_extname worker_rows mlstm__worker_rows
