# A feature of the library that needs a package: AUTO is decided in each configuration again, so that
# a package that is installed later counts.
function(limulus_feature name what found)
  set(${name} AUTO CACHE STRING "Build ${what}: ON, OFF, or AUTO, where its packages are installed")
  set_property(CACHE ${name} PROPERTY STRINGS AUTO ON OFF)
  string(TOUPPER "${${name}}" wanted)
  if(wanted STREQUAL "AUTO")
    set(${name} "${found}" PARENT_SCOPE)
  elseif(found AND NOT ${name})
    message(STATUS "Without ${what}, as ${name} is ${${name}}, though its packages are installed")
  endif()
endfunction()
