# SPDX-License-Identifier: MIT
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/mlstm)

install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/mlstm
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT development
  FILES_MATCHING PATTERN "*.h" PATTERN "*.hpp")

foreach(variant IN LISTS libraries)
  install(TARGETS mlstm_${variant} EXPORT mlstm-${variant}
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT runtime NAMELINK_COMPONENT development
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development
    INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
  install(EXPORT mlstm-${variant} NAMESPACE mlstm:: FILE mlstm-${variant}.cmake
    DESTINATION ${package_dir} COMPONENT development)
endforeach()

configure_package_config_file(
  ${PROJECT_SOURCE_DIR}/cmake/mlstm-config.cmake.in ${PROJECT_BINARY_DIR}/mlstm-config.cmake
  INSTALL_DESTINATION ${package_dir}
  NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/mlstm-config-version.cmake
  COMPATIBILITY SameMajorVersion)
install(FILES
  ${PROJECT_BINARY_DIR}/mlstm-config.cmake ${PROJECT_BINARY_DIR}/mlstm-config-version.cmake
  DESTINATION ${package_dir} COMPONENT development)

# Paths from the .pc file's own place, so that the installed tree can be moved.
set(prefix ${CMAKE_INSTALL_PREFIX})
file(RELATIVE_PATH up ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${prefix})
string(REGEX REPLACE "/$" "" up "${up}")
file(RELATIVE_PATH libdir ${prefix} ${CMAKE_INSTALL_FULL_LIBDIR})
file(RELATIVE_PATH includedir ${prefix} ${CMAKE_INSTALL_FULL_INCLUDEDIR})
# What the static library needs is asked for with --static where the shared one is beside it, and by every
# program where it is alone.
set(cflags " -DMLSTM_STATIC")
set(libs " -lm -pthread")
set(private_cflags "")
set(private_libs "")
if("shared" IN_LIST libraries)
  set(private_cflags "${cflags}")
  set(private_libs "${libs}")
  set(cflags "")
  set(libs "")
endif()
configure_file(${PROJECT_SOURCE_DIR}/cmake/mlstm.pc.in ${PROJECT_BINARY_DIR}/mlstm.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/mlstm.pc
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT development)
